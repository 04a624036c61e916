"""The frames of a DICOM series: where each lies, and whether together they are a volume."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.core.errors import SctError
from sct.io.dicom_values import header_count, header_numbers

__all__ = ["Frame", "Stack", "frames_of", "macros", "stack_frames"]

# Headers print positions with few decimals: differences below these are rounding.
_SAME_POSITION_MM = 0.01
_SPACING_TOLERANCE = 0.05  # of the slice distance
_OFF_LINE_MM = 0.2
_SAME_DIRECTION = 1e-3


@dataclass(frozen=True)
class Frame:
    """One 2-D image with its place.

    Attributes:
        file_index: Which file of the series.
        frame_index: Which frame in that file.
        position_mm: Array (3,): centre of the first pixel, LPS.
        orientation: Array (2, 3): directions along which the column and the row number grow, LPS.
        spacing_mm: Distance of neighbouring (columns, rows).
        slope: Stored value -> output units.
        intercept: The same.
    """

    file_index: int
    frame_index: int
    position_mm: NDArray[np.float64]
    orientation: NDArray[np.float64]
    spacing_mm: tuple[float, float]
    slope: float
    intercept: float


@dataclass(frozen=True)
class Stack:
    """Frames in the order of a right-handed volume, and its affine.

    Attributes:
        frames: Ordered along the normal of the slices.
        affine: Array (4, 4): voxel (column, row, slice) -> world mm, RAS. Sheared where the gantry was tilted.
    """

    frames: list[Frame]
    affine: NDArray[np.float64]


def frames_of(dataset: Any, file_index: int, what: str) -> list[Frame]:
    """Read the places of the frames in a file: one in classic objects, many in enhanced (multi-frame) ones.

    Raises:
        SctError: The header does not say where each image lies, or a value in it is no number.
    """
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence")
    n_frames = header_count(dataset, "NumberOfFrames", what, default=1)
    if per_frame is None:
        if n_frames > 1:
            raise SctError(
                f"{what}: multi-frame file without the position of its frames; export it as enhanced MR or CT"
            )
        return [_frame([dataset], file_index, 0, what)]
    if len(per_frame) != n_frames:
        raise SctError(
            f"{what}: {n_frames} frames, but {len(per_frame)} described in its PerFrameFunctionalGroupsSequence; each "
            "frame needs its own place"
        )
    shared = list(dataset.get("SharedFunctionalGroupsSequence") or [])
    return [
        _frame([*macros([group, *shared]), dataset], file_index, number, what) for number, group in enumerate(per_frame)
    ]


def stack_frames(frames: list[Frame], what: str) -> Stack:
    """Order frames along their normal and prove that they are one volume with even spacing.

    Args:
        frames: Of one series, any order.
        what: Begins error messages: the folder or series.

    Raises:
        SctError: Fewer than 2 slices, several orientations or pixel sizes, repeated or missing slices, uneven spacing.
    """
    if len(frames) < 2:
        raise SctError(f"{what}: one slice; a volume of at least 2 was expected (is it a localizer?)")
    first = frames[0]
    if any(np.abs(frame.orientation - first.orientation).max() > _SAME_DIRECTION for frame in frames):
        raise SctError(
            f"{what}: slices of more than one orientation, as localizers have; parallel slices were expected"
        )
    if any(not np.allclose(frame.spacing_mm, first.spacing_mm, rtol=1e-3) for frame in frames):
        raise SctError(f"{what}: slices of more than one pixel size")
    normal = np.cross(first.orientation[0], first.orientation[1])
    along = np.array([frame.position_mm @ normal for frame in frames])
    order = np.argsort(along, kind="stable")
    frames, along = [frames[i] for i in order], along[order]
    _check_steps(along, what)

    positions = np.array([frame.position_mm for frame in frames])
    step = (positions[-1] - positions[0]) / (len(frames) - 1)
    off_line = positions - positions[0] - np.arange(len(frames))[:, None] * step
    if np.abs(off_line).max() > max(_OFF_LINE_MM, _SPACING_TOLERANCE * np.linalg.norm(step)):
        raise SctError(f"{what}: slices are shifted against each other by up to {np.abs(off_line).max():.1f} mm")
    to_ras = np.array([-1.0, -1.0, 1.0])
    affine = np.eye(4)
    affine[:3, 0] = to_ras * first.orientation[0] * first.spacing_mm[0]
    affine[:3, 1] = to_ras * first.orientation[1] * first.spacing_mm[1]
    affine[:3, 2] = to_ras * step
    affine[:3, 3] = to_ras * positions[0]
    return Stack(frames, affine)


def _check_steps(along: NDArray[np.float64], what: str) -> None:
    """Refuse repeated and missing slices and uneven spacing; `along` is ascending, in mm."""
    steps = np.diff(along)
    repeated = int((steps < _SAME_POSITION_MM).sum())
    if repeated:
        raise SctError(
            f"{what}: {repeated} repeated slices (more than one image at a position: echoes, phases or a second "
            "reconstruction?); export one image per position"
        )
    usual = float(np.median(steps))
    wide = np.flatnonzero(steps > (1 + _SPACING_TOLERANCE) * usual)
    if not len(wide) and steps.min() >= (1 - _SPACING_TOLERANCE) * usual:
        return
    multiples = steps / usual
    if np.abs(multiples - np.round(multiples)).max() < _SPACING_TOLERANCE * multiples.max():
        missing = int(np.round(multiples).sum()) - len(steps)
        at = ", ".join(f"between {along[i]:.1f} and {along[i + 1]:.1f} mm" for i in wide[:3])
        more = " and elsewhere" if len(wide) > 3 else ""
        raise SctError(f"{what}: {missing} missing slices ({at}{more}); export the whole series")
    raise SctError(
        f"{what}: uneven slice spacing, {steps.min():.2f} to {steps.max():.2f} mm; export a series of even spacing"
    )


def macros(groups: list[Any]) -> list[Any]:
    """The items of all functional group macros of an enhanced object: they hold the attributes of frames."""
    found = []
    for group in groups:
        for element in group:
            if element.VR == "SQ" and element.value:
                found.append(element.value[0])
    return found


def _frame(places: list[Any], file_index: int, frame_index: int, what: str) -> Frame:
    """A frame of the first values found in `places`."""

    def find(keyword: str, n: int) -> NDArray[np.float64] | None:
        for place in places:
            numbers = header_numbers(place, keyword, what)
            if numbers is not None and len(numbers) == n:
                return numbers
        return None

    position, orientation = find("ImagePositionPatient", 3), find("ImageOrientationPatient", 6)
    spacing = find("PixelSpacing", 2)
    if position is None or orientation is None or spacing is None:
        raise SctError(
            f"{what}: no ImagePositionPatient, ImageOrientationPatient or PixelSpacing; not a slice of a volume"
        )
    slope, intercept = find("RescaleSlope", 1), find("RescaleIntercept", 1)
    directions = orientation.reshape(2, 3)
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    if (np.abs(lengths - 1) > 1e-2).any() or abs(directions[0] @ directions[1]) > 1e-2 or spacing.min() <= 0:
        raise SctError(f"{what}: ImageOrientationPatient or PixelSpacing make no sense")
    return Frame(
        file_index=file_index,
        frame_index=frame_index,
        position_mm=position,
        orientation=directions / lengths,
        spacing_mm=(float(spacing[1]), float(spacing[0])),  # DICOM gives rows first
        slope=1.0 if slope is None else float(slope[0]),
        intercept=0.0 if intercept is None else float(intercept[0]),
    )

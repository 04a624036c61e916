"""A DICOM series as a volume (pydicom)."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sct.core.errors import SctError
from sct.core.volume import AIR_HU, Volume
from sct.io.checks import checked_volume
from sct.io.dicom_files import quiet_pydicom, read_dataset
from sct.io.dicom_frames import Frame, frames_of, stack_frames
from sct.io.dicom_series import HEADER_TAGS, Series, find_series
from sct.io.dicom_values import header_count, header_numbers, header_text

__all__ = ["read_dicom", "read_series"]

# Directions further than this from perpendicular (cosine; 0.06 degrees) are a tilted gantry, not rounding.
_TILT_COSINE = 1e-3


def read_dicom(folder: Path) -> Volume:
    """Read the one image series that a folder holds; localizers beside it are passed over.

    Raises:
        SctError: No series or several, or the series is no volume.
    """
    series = find_series(folder)
    if not series:
        raise SctError(f"{folder}: no DICOM images in it")
    usable = [one for one in series if not one.is_localizer]
    if not usable:
        raise SctError(f"{folder}: only localizers in it; a volume was expected")
    if len(usable) > 1:
        names = "; ".join(f"{_name(one)} ({one.n_images} images)" for one in usable[:5])
        raise SctError(f"{folder}: {len(usable)} series in it ({names}); give a folder with one of them")
    return read_series(usable[0], str(folder))


def read_series(series: Series, what: str) -> Volume:
    """Read the pixels of a series, scaled by slope and intercept frame by frame.

    A tilted gantry (slices sheared against each other) is corrected by interpolating within the slices; pixels that
    the header declares as padding of a CT become air.

    Args:
        series: As `find_series` gives it.
        what: Begins error messages: the folder or the participant.

    Returns:
        float32 voxels (column, row, slice) and the affine, RAS.

    Raises:
        SctError: Missing, repeated or unevenly spaced slices, several orientations, localizers, colour, a compressed
            transfer syntax without a decoder, a value in the header that is no number, or damaged pixels.
    """
    if series.is_localizer:
        raise SctError(f"{what}: {_name(series)} is a localizer; a volume was expected")
    frames: list[Frame] = []
    for index, path in enumerate(series.files):
        header: Any = read_dataset(path, tags=HEADER_TAGS)
        _check_pixels(header, path)
        frames += frames_of(header, index, str(path))
    stack = stack_frames(frames, what)
    shape = (int(series.header.Columns), int(series.header.Rows), len(frames))
    data = np.empty(shape, dtype=np.float32)
    by_file: dict[int, list[int]] = {}
    for k, frame in enumerate(stack.frames):
        by_file.setdefault(frame.file_index, []).append(k)
    for file_index, slices in by_file.items():
        stored, padding = _pixels(series.files[file_index])
        if stored.shape[1:] != (shape[1], shape[0]):
            raise SctError(
                f"{series.files[file_index]}: {stored.shape[2]} x {stored.shape[1]} pixels, others {shape[:2]}"
            )
        for k in slices:
            frame = stack.frames[k]
            values = stored[frame.frame_index] * np.float32(frame.slope) + np.float32(frame.intercept)
            if padding is not None:
                is_padding = (stored[frame.frame_index] >= padding[0]) & (stored[frame.frame_index] <= padding[1])
                values[is_padding] = AIR_HU
            data[:, :, k] = values.T
    volume = checked_volume(Path(what), data, stack.affine)
    return _untilted(volume)


def _check_pixels(header: Any, path: Path) -> None:
    """Refuse colour and what no installed decoder reads, before any pixel is touched."""
    if header_count(header, "SamplesPerPixel", str(path), default=1) > 1:
        raise SctError(f"{path}: colour image; gray values were expected")
    syntax = header.file_meta.get("TransferSyntaxUID") if hasattr(header, "file_meta") else None
    if syntax is None or not syntax.is_compressed or syntax.is_deflated:
        return
    from pydicom.pixels.decoders.base import get_decoder

    try:
        is_available = get_decoder(syntax).is_available
    except NotImplementedError:
        is_available = False
    if not is_available:
        raise SctError(
            f"{path}: compressed as {syntax.name}, for which no decoder is installed; "
            "pip install pylibjpeg[all], or export uncompressed"
        )


def _pixels(path: Path) -> tuple[NDArray[np.float32], tuple[int, int] | None]:
    """Stored values (frames, rows, columns) as float32, and the range of padding values of a CT."""
    try:
        dataset: Any = read_dataset(path, pixels=True)
        with quiet_pydicom():
            stored = np.asarray(dataset.pixel_array)
    except Exception as error:  # each decoder has errors of its own
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise SctError(f"{path}: pixels cannot be read, or truncated ({reason})") from error
    stored = stored if stored.ndim == 3 else stored[None]
    return stored.astype(np.float32), _padding(dataset, path)


def _padding(dataset: Any, path: Path) -> tuple[int, int] | None:
    """Lowest and highest stored value that is padding of a CT: PixelPaddingValue and PixelPaddingRangeLimit."""
    if dataset.get("Modality") != "CT":
        return None
    with quiet_pydicom():
        value, limit = (header_numbers(dataset, f"PixelPadding{name}", str(path)) for name in ("Value", "RangeLimit"))
    if value is None:
        return None
    # Scanners write -2000 as the unsigned 63536 and the other way round: bring it to the pixels' own representation.
    span = 2 ** int(dataset.BitsAllocated)
    lowest = -span // 2 if dataset.PixelRepresentation else 0
    ends = [(int(end) - lowest) % span + lowest for end in (value[0], value[0] if limit is None else limit[0])]
    return min(ends), max(ends)


def _untilted(volume: Volume) -> Volume:
    """The volume on slices straight above each other: a gantry tilt shears the stack, in whole slices.

    The same slices, pixel size and slice distance; rows and columns are added so that nothing is cut off.
    """
    affine, spacing = volume.affine, volume.spacing_mm
    axes = affine[:3, :3] / spacing
    normal = np.cross(axes[:, 0], axes[:, 1])
    normal *= np.sign(normal @ axes[:, 2])
    if abs(axes[:, 2] @ normal) > np.cos(np.arcsin(_TILT_COSINE)):
        return volume
    # Per slice, the shift along columns and rows in pixels.
    shift = np.array([affine[:3, 2] @ axes[:, axis] / spacing[axis] for axis in (0, 1)])
    n = volume.shape[2]
    whole = np.outer(np.arange(n), shift)
    low, high = np.floor(whole.min(axis=0)).astype(int), np.ceil(whole.max(axis=0)).astype(int)
    fill = float(volume.data.min())
    data = np.full((volume.shape[0] + high[0] - low[0], volume.shape[1] + high[1] - low[1], n), fill, dtype=np.float32)
    for k in range(n):
        ndimage.shift(
            np.pad(volume.data[:, :, k].astype(np.float32), [(-low[a], high[a]) for a in (0, 1)], constant_values=fill),
            whole[k],
            output=data[:, :, k],
            order=1,
            mode="constant",
            cval=fill,
        )
    straight = affine.copy()
    straight[:3, 2] = normal * (affine[:3, 2] @ normal)
    straight[:3, 3] += affine[:3, 0] * low[0] + affine[:3, 1] * low[1]
    return Volume(data, straight)


def _name(series: Series) -> str:
    number, description = header_text(series.header, "SeriesNumber"), header_text(series.header, "SeriesDescription")
    return " ".join(part for part in (series.modality, number, description) if part) or series.key

"""Registration without landmarks: Mattes mutual information, rigid, then affine, from coarse to fine (SimpleITK)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from sct.core.errors import SctError
from sct.core.volume import Volume
from sct.geometry.affine_fit import inverse
from sct.geometry.itk_transforms import affine_like, matrix_of, rigid_closest_to
from sct.geometry.resample import isotropic_grid, resample
from sct.io.itk import volume_to_image

__all__ = ["MutualInformationFit", "register_by_mutual_information"]

_LEVELS_MM = (8.0, 4.0, 2.0)  # finer levels cost eightfold and gain less than the error of 1 mm voxels
_BINS = 40
_CT_RANGE_HU = (-1000.0, 1200.0)  # outside it, CT says nothing that MR could answer to
_HEAD_HU = -200.0  # between air or head rest, and fat
_MR_HEAD_SHARE = 0.15  # of the range of intensities: between noise and the darkest soft tissue
_MARGIN_MM = 8.0  # air around the head that takes part: the skin is the strongest edge that both see
_SAMPLES = 60_000  # voxels per evaluation, drawn with a fixed seed
_SEED = 20220801
_LAST_STEP_MM = 0.003  # where a search ends
_MOST_STEPS = 400
_RELAXATION = 0.9  # a step shrinks by this when the gradient turns; 0.6 stops up to 3 mm short (12 parameters)
_START_ANGLES_DEG = (-12.0, 0.0, 12.0)  # about each axis, tried on the coarsest level
_N_FINALISTS = 5  # starts that are searched from on the coarsest level
# In ITK's message where every sample falls outside the other image.
_NO_OVERLAP = "do not sufficiently overlap"


@dataclass(frozen=True)
class MutualInformationFit:
    """Result of the search.

    Attributes:
        matrix: Array (4, 4), MR world -> CT world, mm, RAS.
        metric_start: Mutual information in nats of the best start before the search; 0 where it is unknown.
        metric_end: The same where it ended.
        start: Which start won: worlds (as they are), centres (of the two heads), or landmarks.
        centre_mm: Array (3,): centre of the head in MR world.
    """

    matrix: NDArray[np.float64]
    metric_start: float
    metric_end: float
    start: str
    centre_mm: NDArray[np.float64]


@dataclass(frozen=True)
class _Level:
    """Both images at one resolution, as SimpleITK has them."""

    ct: Any
    mr: Any
    ct_head: Any


def register_by_mutual_information(
    mr: Volume, ct: Volume, start: NDArray[np.float64] | None = None
) -> MutualInformationFit:
    """Find the affine from MR world to CT world that makes the joint histogram sharpest.

    The search starts from `start` where given, else from the worlds as they are and from matched centres of the heads,
    each turned a little about each axis; the best after the coarsest level goes on. It runs on one thread with seeded
    samples: same input, same result.

    Args:
        mr: MR in arbitrary units.
        ct: CT in HU.
        start: Array (4, 4), MR world -> CT world, e.g. from landmarks.

    Raises:
        SctError: MR and CT do not overlap from any start.
    """
    with _one_thread():
        return _register(mr, ct, start)


def _register(mr: Volume, ct: Volume, start: NDArray[np.float64] | None) -> MutualInformationFit:
    fine_ct, ct_head = _ct_and_head(ct)
    fine_mr, mr_head = _mr_and_head(mr)
    levels = [_level(fine_ct, fine_mr, ct_head, spacing_mm) for spacing_mm in _LEVELS_MM]
    ct_centre, mr_centre = _centre(ct_head, fine_ct.affine), _centre(mr_head, fine_mr.affine)

    before, name, transform = _best_rigid(levels[0], _starts(start, ct_centre, mr_centre), ct_centre)
    try:
        for level in levels[1:]:
            _search(level, transform, step_mm=1.0)
        # The stretch that landmarks found is a better start than none.
        transform = affine_like(transform, None if start is None else inverse(start))
        for level in levels[1:]:
            _search(level, transform, step_mm=0.5)
        after = -_metric(levels[0], transform)
    except RuntimeError as error:
        raise _as_overlap_error(error) from error
    return MutualInformationFit(inverse(matrix_of(transform)), before, after, name, mr_centre)


@contextmanager
def _one_thread() -> Iterator[None]:
    """ITK on one thread: with several, the order of its sums, and so the last bits of the result, change by chance."""
    import SimpleITK

    process: Any = SimpleITK.ProcessObject
    before = process.GetGlobalDefaultNumberOfThreads()
    process.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        process.SetGlobalDefaultNumberOfThreads(before)


def _starts(
    given: NDArray[np.float64] | None, ct_centre: NDArray[np.float64], mr_centre: NDArray[np.float64]
) -> list[tuple[str, NDArray[np.float64]]]:
    """Named guesses of MR world -> CT world."""
    if given is not None:
        return [("landmarks", given)]
    starts: list[tuple[str, NDArray[np.float64]]] = []
    for angles in product(_START_ANGLES_DEG, repeat=3):
        turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
        for name, goal in (("worlds", mr_centre), ("centres", ct_centre)):
            matrix = np.eye(4)
            matrix[:3, :3] = turn
            matrix[:3, 3] = goal - turn @ mr_centre  # turns about the MR's centre, which goes to `goal`
            starts.append((name, matrix))
    return starts


def _best_rigid(
    level: _Level, starts: list[tuple[str, NDArray[np.float64]]], centre: NDArray[np.float64]
) -> tuple[float, str, Any]:
    """The rigid transform with the most mutual information after a search on the coarsest level.

    Returns:
        Mutual information of the winner before its search, its name, and the transform.
    """
    seen: list[tuple[float, int, str, Any]] = []
    for number, (name, mr_to_ct) in enumerate(starts):
        transform = rigid_closest_to(inverse(mr_to_ct), centre)
        try:
            seen.append((-_metric(level, transform), number, name, transform))
        except RuntimeError as error:
            _as_overlap_error(error)
    finals: list[tuple[float, float, str, Any]] = []
    for before, _, name, transform in sorted(seen, reverse=True, key=lambda one: one[:2])[:_N_FINALISTS]:
        try:
            _search(level, transform, step_mm=4.0)
            finals.append((-_metric(level, transform), before, name, transform))
        except RuntimeError as error:
            _as_overlap_error(error)
    if not finals:
        raise SctError("MR and CT do not overlap in space; check that they are of one person and one region")
    _, before, name, transform = max(finals, key=lambda one: one[0])
    return before, name, transform


def _metric(level: _Level, transform: Any) -> float:
    """Minus the mutual information (nats) over all voxels in and around the CT's head."""
    method = _method(level, transform)
    return float(method.MetricEvaluate(level.ct, level.mr))


def _search(level: _Level, transform: Any, step_mm: float) -> None:
    """Improve `transform` (CT world -> MR world) in place."""
    method = _method(level, transform)
    share = min(1.0, _SAMPLES / float(np.prod(level.ct.GetSize())))
    method.SetMetricSamplingStrategy(method.RANDOM if share < 1.0 else method.NONE)
    method.SetMetricSamplingPercentage(share, _SEED)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=step_mm,
        minStep=_LAST_STEP_MM,
        numberOfIterations=_MOST_STEPS,
        relaxationFactor=_RELAXATION,
        gradientMagnitudeTolerance=1e-7,
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.Execute(level.ct, level.mr)


def _method(level: _Level, transform: Any) -> Any:
    import SimpleITK

    make: Any = SimpleITK.ImageRegistrationMethod
    method = make()
    method.SetMetricAsMattesMutualInformation(_BINS)
    method.SetMetricFixedMask(level.ct_head)
    method.SetInterpolator(SimpleITK.sitkLinear)
    method.SetInitialTransform(transform, inPlace=True)
    return method


def _level(ct: Volume, mr: Volume, ct_head: NDArray[np.bool_], spacing_mm: float) -> _Level:
    def at(volume: Volume) -> Any:
        shape, affine = isotropic_grid(volume, spacing_mm)
        values, _ = resample(volume, shape, affine, fill=float(volume.data.min()))
        return volume_to_image(Volume(values, affine))

    around = ndimage.binary_dilation(ct_head, iterations=round(_MARGIN_MM / _LEVELS_MM[-1]))
    shape, affine = isotropic_grid(ct, spacing_mm)
    head, _ = resample(Volume(around, ct.affine), shape, affine, order=0)
    return _Level(at(ct), at(mr), volume_to_image(Volume(head > 0, affine)))


def _ct_and_head(ct: Volume) -> tuple[Volume, NDArray[np.bool_]]:
    """CT on the finest level's grid, clipped, and its head: without head rest and cables."""
    shape, affine = isotropic_grid(ct, _LEVELS_MM[-1])
    values, _ = resample(ct, shape, affine, fill=_CT_RANGE_HU[0])
    head = _largest_part(ndimage.binary_opening(values > _HEAD_HU, iterations=2))
    return Volume(np.clip(values, np.float32(_CT_RANGE_HU[0]), np.float32(_CT_RANGE_HU[1])), affine), head


def _mr_and_head(mr: Volume) -> tuple[Volume, NDArray[np.bool_]]:
    """MR on the finest level's grid, without its brightest and darkest half percent, and its head by a threshold."""
    shape, affine = isotropic_grid(mr, _LEVELS_MM[-1])
    values, inside = resample(mr, shape, affine)
    low, high = (np.float32(bound) for bound in np.percentile(values[inside], [0.5, 99.5]))
    values = np.clip(values, low, high)
    head = _largest_part(ndimage.binary_opening(values > low + _MR_HEAD_SHARE * (high - low), iterations=2))
    return Volume(values, affine), head


def _largest_part(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected part, holes filled; everything where there is none."""
    labels, n = ndimage.label(mask)
    if n == 0:
        return np.ones_like(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(ndimage.binary_fill_holes(labels == sizes.argmax()))


def _centre(mask: NDArray[np.bool_], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    index = np.array(ndimage.center_of_mass(mask))
    return np.asarray(affine[:3, :3] @ index + affine[:3, 3])


def _as_overlap_error(error: RuntimeError) -> SctError:
    """The user's error for ITK's missing overlap; any other error is raised again."""
    if _NO_OVERLAP not in str(error):
        raise error
    return SctError("MR and CT lost their overlap during registration; start from landmarks instead")

"""The affine that takes one set of points to another by least squares, and how far to trust it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sct.core.errors import SctError

__all__ = ["AffineFit", "apply_affine", "describe_affine", "fit_affine", "inverse"]

# Points closer than this to one plane (root mean square, mm) do not fix the affine across it: placing errors are ~1 mm.
_COPLANAR_MM = 2.0
# A landmark is an outlier when, predicted by the others, it lies this far off, absolutely and against the median.
_OUTLIER_MM, _OUTLIER_RATIO = 4.0, 3.0
# And it must stand out by what the fit gains without it: of 5 points every one gains the same, so none is to blame.
_LEAST_GAIN_RATIO = 1.5


@dataclass(frozen=True)
class AffineFit:
    """A least-squares affine and its errors.

    Attributes:
        matrix: Array (4, 4), source -> target.
        residuals_mm: Array (n,): distance of each mapped source point from its target.
        leave_one_out_mm: Array (n,): the same when the point itself is not used in the fit; NaN where it cannot be
            left out, because the others do not span space (always with 4 points).
        outliers: Indices of points that the others contradict, the worst first.
    """

    matrix: NDArray[np.float64]
    residuals_mm: NDArray[np.float64]
    leave_one_out_mm: NDArray[np.float64]
    outliers: list[int]

    @property
    def rms_mm(self) -> float:
        """Root mean square of the residuals."""
        return float(np.sqrt(np.mean(self.residuals_mm**2)))

    @property
    def leave_one_out_rms_mm(self) -> float | None:
        """Root mean square of the leave-one-out errors; None when no point can be left out."""
        known = self.leave_one_out_mm[np.isfinite(self.leave_one_out_mm)]
        return float(np.sqrt(np.mean(known**2))) if known.size else None


def fit_affine(source: NDArray[np.float64], target: NDArray[np.float64], what: str) -> AffineFit:
    """Fit target = A source + t by least squares (the paper's multiple-point affine; Methods, image preparation).

    Args:
        source: Array (n, 3), mm.
        target: Array (n, 3), mm.
        what: Begins error messages: the file of the points.

    Raises:
        SctError: Fewer than 4 points, points in one plane, or a fit that mirrors.
    """
    n = len(source)
    if n < 4:
        raise SctError(f"{what}: {n} landmarks; at least 4 that do not lie in one plane were expected")
    for side, points in (("MR", source), ("CT", target)):
        if _thickness_mm(points) < _COPLANAR_MM:
            raise SctError(
                f"{what}: the landmarks in {side} lie in one plane (within {_thickness_mm(points):.1f} mm); "
                "spread them in all three directions"
            )
    solution, *_ = np.linalg.lstsq(_design(source), target, rcond=None)
    matrix = np.eye(4)
    matrix[:3, :3] = solution[:3].T
    matrix[:3, 3] = solution[3] - matrix[:3, :3] @ source.mean(axis=0)
    if np.linalg.det(matrix[:3, :3]) <= 0:
        raise SctError(
            f"{what}: the fit mirrors the head, so left and right are swapped in MR or CT; "
            "check the names of the landmarks and the coordinate system (RAS or LPS)"
        )
    residuals, left_out, _ = _errors(source, target)
    return AffineFit(matrix, residuals, left_out, _outliers(source, target))


def apply_affine(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map points (n, 3) by a (4, 4) matrix."""
    return np.asarray(points @ matrix[:3, :3].T + matrix[:3, 3])


def inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of a (4, 4) affine."""
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def describe_affine(matrix: NDArray[np.float64], centre: Sequence[float] | NDArray[np.float64]) -> dict[str, object]:
    """What a (4, 4) affine does in plain numbers: rotation, scales along its main axes, shift of `centre`."""
    u, scales, vt = np.linalg.svd(matrix[:3, :3])
    cosine = (np.trace(u @ vt) - 1) / 2
    shift = apply_affine(matrix, np.asarray(centre, dtype=np.float64)[None])[0] - centre
    return {
        "rotation_deg": round(float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))), 3),
        "scales": [round(float(scale), 4) for scale in scales],
        "shift_of_centre_mm": [round(float(value), 3) for value in shift],
    }


def _thickness_mm(points: NDArray[np.float64]) -> float:
    """Root mean square distance of points from the plane closest to them."""
    centred = points - points.mean(axis=0)
    return float(np.linalg.svd(centred, compute_uv=False)[-1] / np.sqrt(len(points)))


def _design(source: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.hstack([source - source.mean(axis=0), np.ones((len(source), 1))])


def _errors(source: NDArray[np.float64], target: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Per point (n,): residual, leave-one-out error, and how much the fit gains when the point is left out, in mm2."""
    design = _design(source)
    hat = design @ np.linalg.pinv(design)
    residuals = np.linalg.norm(target - hat @ target, axis=1)
    # Leaving out point i of a linear fit changes its error to e_i / (1 - h_i), h the diagonal of the hat matrix.
    free = 1.0 - np.diag(hat)
    free[free < 1e-6] = np.nan
    return residuals, residuals / free, residuals**2 / free


def _outliers(source: NDArray[np.float64], target: NDArray[np.float64]) -> list[int]:
    """Points that the others contradict, the worst first: each is taken away before the rest is judged by the rest."""
    found: list[int] = []
    rest = np.arange(len(source))
    while True:
        _, left_out, gain = _errors(source[rest], target[rest])
        if not np.isfinite(left_out).any():
            return found
        limit = max(_OUTLIER_MM, _OUTLIER_RATIO * float(np.nanmedian(left_out)))
        worst = int(np.nanargmax(gain))
        stands_out = gain[worst] > _LEAST_GAIN_RATIO * float(np.nanmedian(gain))
        if not (left_out[worst] > limit and stands_out):
            return found
        found.append(int(rest[worst]))
        rest = np.delete(rest, worst)

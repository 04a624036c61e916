"""Three planes and any number of networks become one volume and its uncertainty.

Each voxel has up to planes x members predictions in HU. Members (the folds and seeds of one kind of network) are
exchangeable, so they are averaged; planes are not, so how they are fused is a choice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sct.core.errors import SctError
from sct.core.gray import BONE_FROM_HU, Window, hu_to_gray

__all__ = ["FUSIONS", "Fused", "MemberMean", "bone_weights", "fuse"]

BONE_GAIN = 3.0  # weight of a sure bone vote over a soft-tissue vote; see `bone_weights`
WINDOW_EDGE_GRAY = 0.02  # width of the ramp at each end of the window, about 40 HU


@dataclass(frozen=True)
class Fused:
    """A fused volume.

    Attributes:
        hu: Array (X, Y, Z), float32, HU.
        uncertainty_hu: Array (X, Y, Z), float32: standard deviation in HU of all predictions of a voxel.
        planes_hu: Array (X, Y, Z), float32: the part of it between planes.
        members_hu: Array (X, Y, Z), float32: the part of it between networks; uncertainty^2 = planes^2 + members^2.
        covered: Array (X, Y, Z), bool: voxels with at least one prediction; the others are 0 in all of the above.
    """

    hu: NDArray[np.float32]
    uncertainty_hu: NDArray[np.float32]
    planes_hu: NDArray[np.float32]
    members_hu: NDArray[np.float32]
    covered: NDArray[np.bool_]


class MemberMean:
    """Running mean and variance over the networks of an ensemble, by Welford's update: memory for two volumes."""

    def __init__(self) -> None:
        self.count = 0
        self._mean: NDArray[np.float32] | None = None
        self._squares: NDArray[np.float32] | None = None

    def add(self, hu: NDArray[np.float32]) -> None:
        """Take one network's volume (X, Y, Z) in HU."""
        self.count += 1
        if self._mean is None or self._squares is None:
            self._mean, self._squares = hu.astype(np.float32), np.zeros(hu.shape, np.float32)
            return
        difference = hu - self._mean
        self._mean += difference / self.count
        self._squares += difference * (hu - self._mean)

    @property
    def mean(self) -> NDArray[np.float32]:
        """Mean (X, Y, Z) in HU."""
        if self._mean is None:
            raise ValueError("no volume was added")
        return self._mean

    @property
    def variance(self) -> NDArray[np.float32]:
        """Population variance (X, Y, Z) in HU^2; 0 for one network."""
        if self._squares is None:
            raise ValueError("no volume was added")
        return self._squares / np.float32(self.count)


def bone_weights(hu: NDArray[np.floating], window: Window) -> NDArray[np.float32]:
    """Weight of each plane's prediction when bone is favoured.

    Thin bone (orbital floor, sinus walls, sutures) is seen best by the plane that cuts it at a right angle; where the
    sheet lies in the slice, partial volume and the network's smoothing pull the prediction to soft tissue. Averaging
    then erases thin bone. So a vote rises from 1 for soft tissue (at most 0 HU) to `BONE_GAIN` for bone (at least
    300 HU). At the ends of the window the sigmoid saturates and its value stands for "beyond the window" rather than
    for a measured HU, so the weight falls to half within the last 2 % of gray: a plane that still measures has more
    say. Where all planes agree, the weights cancel and the mean is left as it is.

    Args:
        hu: Predictions in HU, any shape.
        window: The network's window.

    Returns:
        Weights, float32, of the same shape, between 0.5 and `BONE_GAIN`.
    """
    gray = np.asarray(hu_to_gray(np.asarray(hu, np.float32), window), np.float32)
    bone = np.clip(np.asarray(hu, np.float32) / np.float32(BONE_FROM_HU), 0.0, 1.0)
    from_edge = np.clip(np.minimum(gray, 1.0 - gray) / WINDOW_EDGE_GRAY, 0.0, 1.0)
    return np.asarray((1.0 + (BONE_GAIN - 1.0) * bone) * (0.5 + 0.5 * from_edge), np.float32)


def _mean(hu: NDArray[np.float32], covered: NDArray[np.bool_], window: Window) -> NDArray[np.float32]:
    count = np.maximum(covered.sum(0, dtype=np.float32), 1.0)
    total: NDArray[np.float32] = np.where(covered, hu, 0.0).sum(0, dtype=np.float32)
    return np.asarray(total / count, np.float32)


def _median(hu: NDArray[np.float32], covered: NDArray[np.bool_], window: Window) -> NDArray[np.float32]:
    ordered = np.sort(np.where(covered, hu, np.inf), axis=0)  # the covered ones come first
    count = np.maximum(covered.sum(0), 1)
    low = np.take_along_axis(ordered, ((count - 1) // 2)[None], 0)[0]
    high = np.take_along_axis(ordered, (count // 2)[None], 0)[0]
    median: NDArray[np.float32] = np.where(covered.any(0), (low + high) / 2, 0.0).astype(np.float32)
    return median


def _bone_weighted(hu: NDArray[np.float32], covered: NDArray[np.bool_], window: Window) -> NDArray[np.float32]:
    weights = bone_weights(hu, window) * covered
    total = weights.sum(0)
    # weights are at least 0.5 where covered, so 0.5 changes nothing there and avoids 0/0 elsewhere
    return np.asarray((weights * np.where(covered, hu, 0.0)).sum(0, dtype=np.float32) / np.maximum(total, 0.5))


_Rule = Callable[[NDArray[np.float32], NDArray[np.bool_], Window], NDArray[np.float32]]
FUSIONS: dict[str, _Rule] = {"mean": _mean, "median": _median, "bone_weighted": _bone_weighted}


def fuse(
    means_hu: Sequence[NDArray[np.float32]],
    covered: Sequence[NDArray[np.bool_]],
    fusion: str,
    window: Window,
    variances_hu2: Sequence[NDArray[np.float32]] | None = None,
) -> Fused:
    """Fuse planes, and say how far their predictions disagree.

    The uncertainty is the population standard deviation of all predictions of a voxel, plane by network, whatever the
    fusion. By the law of total variance its square is the mean over planes of the networks' variance plus the variance
    over planes of the networks' mean.

    Args:
        means_hu: Per plane, the mean over networks (X, Y, Z) in HU.
        covered: Per plane, the voxels (X, Y, Z) the plane predicted; the rest is ignored.
        fusion: One of `FUSIONS`.
        window: The networks' window.
        variances_hu2: Per plane, the variance over networks (X, Y, Z); zero when left out.

    Raises:
        SctError: The fusion is unknown.
    """
    if fusion not in FUSIONS:
        raise SctError(f"--fusion {fusion}: unknown; one of {', '.join(FUSIONS)}")
    shape = means_hu[0].shape
    parts = [np.empty(shape, np.float32) for _ in range(3)]
    inside = np.empty(shape, bool)
    # a slab at a time keeps the working memory small
    for start in range(0, shape[0], 16):
        slab = slice(start, start + 16)
        hu = np.stack([volume[slab] for volume in means_hu])
        mask = np.stack([volume[slab] for volume in covered])
        mean = _mean(hu, mask, window)
        between = _mean((hu - mean) ** 2, mask, window)
        within = np.zeros_like(between)
        if variances_hu2 is not None:
            within = _mean(np.stack([volume[slab] for volume in variances_hu2]), mask, window)
        for part, values in zip(parts, (FUSIONS[fusion](hu, mask, window), between, within), strict=True):
            part[slab] = values
        inside[slab] = mask.any(0)
    hu_fused, between, within = parts
    return Fused(hu_fused, np.sqrt(between + within), np.sqrt(between), np.sqrt(within), inside)

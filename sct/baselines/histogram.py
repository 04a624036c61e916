"""The CT that each MR intensity has on average: the joint histogram as a look-up table."""

from collections.abc import Iterable

import torch
from torch import Tensor

from sct.baselines.baseline import Baseline, Batch
from sct.baselines.intensity import LEVELS
from sct.core.errors import SctError

__all__ = ["JointHistogram"]

BINS_PER_PEAK = 128
N_BINS = 2 * BINS_PER_PEAK
"""Bins of relative intensity, 0 to twice the soft-tissue peak; the last holds all that is brighter."""


class JointHistogram(Baseline):
    """Conditional mean (or median) of the CT given the MR intensity, read from the joint histogram.

    No map that sees the intensity of one pixel alone can have a smaller mean squared error (the mean) or mean absolute
    error (the median) on the training folds: it is the upper bound of the other classical methods, and what a network
    gains over it comes from looking around. The conditional mean as a CT substitute: Johansson, Karlsson & Nyholm,
    Med Phys 2011;38:2708-14 (there by a Gaussian mixture, here by the histogram itself).

    The whole frame is counted, not only the mask: at intensity 0 the outside and dark tissue look alike to the method.
    Empty bins are interpolated between their neighbours.

    Args:
        statistic: `mean` or `median`.
        bias_correction: As in `Baseline`.
        level_hu: As in `Baseline`.
        width_hu: As in `Baseline`.

    Raises:
        SctError: Unknown statistic.
    """

    table: Tensor

    def __init__(
        self,
        statistic: str = "mean",
        bias_correction: bool = False,
        level_hu: float = 500.0,
        width_hu: float = 2000.0,
    ):
        super().__init__(bias_correction, level_hu, width_hu)
        if statistic not in ("mean", "median"):
            raise SctError(f"model.statistic={statistic}: there are mean and median")
        self.statistic = statistic
        self.register_buffer("table", torch.full((N_BINS,), torch.nan))

    def _fit(self, batches: Iterable[Batch]) -> None:
        counts = torch.zeros(N_BINS * LEVELS, dtype=torch.int64, device=self.table.device)
        for mr, ct, _ in batches:
            levels = (ct * (LEVELS - 1)).round().long().clamp(0, LEVELS - 1)
            pairs = _bins(self.relative_intensity(mr.float())) * LEVELS + levels
            counts += torch.bincount(pairs.reshape(-1), minlength=N_BINS * LEVELS)
        joint = counts.reshape(N_BINS, LEVELS)
        table = _conditional_mean(joint) if self.statistic == "mean" else _conditional_median(joint)
        self.table.copy_(_filled(table / (LEVELS - 1)))

    def _gray(self, intensity: Tensor) -> Tensor:
        return self.table[_bins(intensity)]


def _bins(intensity: Tensor) -> Tensor:
    return (intensity * BINS_PER_PEAK).round().long().clamp(0, N_BINS - 1)


def _conditional_mean(joint: Tensor) -> Tensor:
    """Mean column (n,) float64 of each row of counts (n, m); NaN for an empty row."""
    columns = torch.arange(joint.shape[1], device=joint.device)
    return (joint * columns).sum(1).double() / joint.sum(1).double()


def _conditional_median(joint: Tensor) -> Tensor:
    """Lower median column (n,) float64 of each row of counts (n, m); NaN for an empty row."""
    reached = 2 * joint.cumsum(1) >= joint.sum(1, keepdim=True)
    median = reached.long().argmax(1).double()
    return torch.where(joint.sum(1) > 0, median, torch.nan)


def _filled(table: Tensor) -> Tensor:
    """A table (n,) with its NaN replaced by linear interpolation, and by the nearest value beyond the ends."""
    import numpy as np

    values = table.cpu().numpy()
    index = np.arange(len(values))
    known = ~np.isnan(values)
    return torch.from_numpy(np.interp(index, index[known], values[known])).to(table.device)

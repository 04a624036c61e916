"""Air, bone and soft tissue told apart by the MR intensity: darkest, dark and bright in ZTE and UTE.

Air has -1000 HU, soft tissue 42 HU, and only bone has a value that varies: the scheme of Wiesinger et al., Magn Reson
Med 2018;80:1440-1451, doi 10.1002/mrm.27134.
"""

from abc import abstractmethod
from collections.abc import Iterable

import torch
from torch import Tensor

from sct.baselines.baseline import Baseline, Batch
from sct.core.errors import SctError
from sct.core.gray import AIR_BELOW_HU, BONE_FROM_HU
from sct.core.volume import AIR_HU

__all__ = ["SOFT_TISSUE_HU", "TissueMap", "best_edges"]

SOFT_TISSUE_HU = 42.0
BINS_PER_PEAK = 128
"""Bins of relative intensity up to the soft-tissue peak: about a gray level each where the peak is in mid-range."""


class TissueMap(Baseline):
    """Fixed HU for air and soft tissue, a function of intensity for bone, parted by two edges of intensity.

    Intensity below `air_edge` is air, from `soft_edge` on soft tissue, between them bone. The publications part the
    tissues by a segmentation of the volume; here the two edges are fitted on the training folds (see `best_edges`).

    Args:
        bias_correction: As in `Baseline`.
        level_hu: As in `Baseline`.
        width_hu: As in `Baseline`.
        classes: 3, or 2 for bone and soft tissue only, where just what is outside the mask (intensity 0) is air.
    """

    air_edge: Tensor
    soft_edge: Tensor

    def __init__(
        self,
        bias_correction: bool = False,
        level_hu: float = 500.0,
        width_hu: float = 2000.0,
        classes: int = 3,
    ):
        super().__init__(bias_correction, level_hu, width_hu)
        if classes not in (2, 3):
            raise SctError(f"model.classes={classes}: there are 2 (bone, soft tissue) or 3 (air, bone, soft tissue)")
        self.classes = classes
        self.register_buffer("air_edge", torch.tensor(torch.nan))
        self.register_buffer("soft_edge", torch.tensor(torch.nan))

    def _fit(self, batches: Iterable[Batch]) -> None:
        n_bins = 2 * BINS_PER_PEAK
        counts = torch.zeros(3 * n_bins, dtype=torch.int64, device=self.air_edge.device)
        for intensity, ct_hu in self.samples(batches):
            bins = (intensity * BINS_PER_PEAK).round().long().clamp(0, n_bins - 1)
            tissue = torch.where(ct_hu < AIR_BELOW_HU, 0, torch.where(ct_hu >= BONE_FROM_HU, 1, 2))
            counts += torch.bincount(tissue * n_bins + bins, minlength=3 * n_bins)
        counts = counts.reshape(3, n_bins)
        if counts[1].sum() == 0:
            raise SctError(
                f"{type(self).__name__}: the training slices hold no bone (CT from {BONE_FROM_HU} HU on); "
                "check that the CT is in HU and registered to the MR"
            )
        air_bin, soft_bin = best_edges(counts, largest_air=n_bins if self.classes == 3 else 1)
        self.air_edge.fill_((air_bin - 0.5) / BINS_PER_PEAK)
        self.soft_edge.fill_((soft_bin - 0.5) / BINS_PER_PEAK)
        self._fit_bone(batches)

    @abstractmethod
    def _fit_bone(self, batches: Iterable[Batch]) -> None:
        """Set the buffers of the bone function; the edges are there already."""

    @abstractmethod
    def bone_hu(self, intensity: Tensor) -> Tensor:
        """HU of bone of a relative intensity, any shape."""

    def _gray(self, intensity: Tensor) -> Tensor:
        hu = self.bone_hu(intensity)
        hu = torch.where(intensity >= self.soft_edge, SOFT_TISSUE_HU, hu)
        return self.gray(torch.where(intensity < self.air_edge, AIR_HU, hu))


def best_edges(counts: Tensor, largest_air: int | None = None) -> tuple[int, int]:
    """The two edges that part three tissues best: the largest mean of the three Dice coefficients.

    All pairs of edges are tried, which cumulative counts make cheap. The mean over the tissues, not over the pixels,
    keeps the little bone from being given up for the much soft tissue. Among equal pairs (between classes that do
    not overlap there are many) the one nearest to their mean is taken, so that an edge stands in the middle of a gap.

    Args:
        counts: Pixels (3, n) int64 of air, bone and soft tissue per bin of intensity.
        largest_air: Largest edge of air; bin 0, the outside of the mask, is air always.

    Returns:
        First bin of bone and first bin of soft tissue, 1 <= bone <= soft tissue <= n.
    """
    n_bins = counts.shape[1]
    below = torch.cat([counts.new_zeros(3, 1), counts.cumsum(1)], dim=1).double()
    total = below[:, -1]
    pixels_below = below.sum(0)
    bone, soft = torch.meshgrid(*(torch.arange(n_bins + 1, device=counts.device),) * 2, indexing="ij")
    hits = torch.stack([below[0][bone], below[1][soft] - below[1][bone], total[2] - below[2][soft]])
    called = torch.stack(
        [pixels_below[bone], pixels_below[soft] - pixels_below[bone], pixels_below[-1] - pixels_below[soft]]
    )
    dice = (2 * hits / (called + total.reshape(3, 1, 1)).clamp(min=1)).mean(0)
    limit = n_bins if largest_air is None else largest_air
    allowed = (bone >= 1) & (bone <= soft) & (bone <= limit)
    dice = torch.where(allowed, dice, -1.0)
    ties = (dice >= dice.max() - 1e-12).nonzero().double()
    nearest = ((ties - ties.mean(0)) ** 2).sum(1).argmin()
    return int(ties[nearest, 0]), int(ties[nearest, 1])

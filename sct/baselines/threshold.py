"""Intensity thresholds: one HU value for each tissue."""

from collections.abc import Iterable

import torch
from torch import Tensor

from sct.baselines.baseline import Batch
from sct.baselines.tissue import TissueMap
from sct.core.gray import BONE_FROM_HU

__all__ = ["Threshold"]


class Threshold(TissueMap):
    """Bulk assignment: -1000 HU for air, 42 HU for soft tissue and the training folds' mean for bone.

    Named by the paper's discussion as intensity thresholding. The arguments are those of `TissueMap`.
    """

    bone_mean_hu: Tensor

    def __init__(
        self,
        classes: int = 3,
        bias_correction: bool = False,
        level_hu: float = 500.0,
        width_hu: float = 2000.0,
    ):
        super().__init__(bias_correction, level_hu, width_hu, classes)
        self.register_buffer("bone_mean_hu", torch.tensor(torch.nan))

    def _fit_bone(self, batches: Iterable[Batch]) -> None:
        total_hu, n = 0.0, 0
        for _, ct_hu in self.samples(batches):
            bone = ct_hu[ct_hu >= BONE_FROM_HU]
            total_hu += float(bone.sum())
            n += len(bone)
        self.bone_mean_hu.fill_(total_hu / n)

    def bone_hu(self, intensity: Tensor) -> Tensor:
        """The training folds' mean HU of bone (CT from 300 HU on), whatever the intensity."""
        return self.bone_mean_hu.expand_as(intensity)

"""Bone density as the negative logarithm of the MR intensity."""

from collections.abc import Iterable

import torch
from torch import Tensor

from sct.baselines.baseline import Batch
from sct.baselines.tissue import SOFT_TISSUE_HU, TissueMap
from sct.core.errors import SctError
from sct.core.gray import BONE_FROM_HU

__all__ = ["LogInversion"]

DARKEST = 1.0 / 255.0
"""Smallest relative intensity whose logarithm is taken: about one gray level."""


class LogInversion(TissueMap):
    """HU = 42 - slope * ln(intensity) for bone, -1000 HU for air, 42 HU for soft tissue.

    The logarithmic inversion that the paper compares with: bias-corrected ZTE, normalised to its soft tissue, shown on
    an inverse logarithmic scale, where bone is bright (Wiesinger et al., Magn Reson Med 2016;75:107-114). Soft tissue,
    at intensity 1, stays at 42 HU; the slope is fitted by least squares on the training folds' bone (CT from 300 HU
    on) with an intensity between air and the soft-tissue peak.

    Args:
        bias_correction: As in `Baseline`; part of the published method.
        level_hu: As in `Baseline`.
        width_hu: As in `Baseline`.
    """

    slope_hu: Tensor

    def __init__(self, bias_correction: bool = True, level_hu: float = 500.0, width_hu: float = 2000.0):
        super().__init__(bias_correction, level_hu, width_hu)
        self.register_buffer("slope_hu", torch.tensor(torch.nan))

    def _fit_bone(self, batches: Iterable[Batch]) -> None:
        products = squares = 0.0
        for intensity, ct_hu in self.samples(batches):
            bone = (ct_hu >= BONE_FROM_HU) & (intensity >= self.air_edge) & (intensity <= 1)
            inverted = _inverted(intensity[bone])
            products += float((inverted * (ct_hu[bone] - SOFT_TISSUE_HU)).sum())
            squares += float((inverted * inverted).sum())
        if squares == 0:
            raise SctError(
                "LogInversion: the training slices hold no bone (CT from 300 HU on) between air and the soft-tissue "
                "peak; the method needs ZTE or UTE, where bone is darker than soft tissue and brighter than air"
            )
        self.slope_hu.fill_(products / squares)

    def bone_hu(self, intensity: Tensor) -> Tensor:
        """HU on the inverse logarithmic scale at relative intensities, any shape."""
        return SOFT_TISSUE_HU + self.slope_hu * _inverted(intensity)


def _inverted(intensity: Tensor) -> Tensor:
    return -intensity.clamp(min=DARKEST).log()

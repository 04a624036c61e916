"""A classical method that is fitted on the training folds and then predicts like a network."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from sct.baselines.intensity import local_soft_tissue, soft_tissue_peak
from sct.core.errors import SctError
from sct.core.gray import Window, gray_to_hu, hu_to_gray

__all__ = ["Baseline", "Batch"]

Batch = tuple[Tensor, Tensor, Tensor]
"""MR, CT and mask, each (B, 1, H, W): MR and CT gray on the scale 0..1, the mask positive inside."""


class Baseline(nn.Module, ABC):
    """A map from MR intensity to CT, point by point.

    The intensity it reads is the MR divided by its soft-tissue peak (`relative_intensity`). The peak is estimated for
    each slice; a slice with too little soft tissue takes the median peak of the training slices. All that is fitted
    lives in buffers, so that a checkpoint holds it.

    Args:
        bias_correction: Divide by the local soft-tissue intensity, which takes out coil bias, instead of by one value.
        level_hu: Level of the CT window in HU.
        width_hu: Width of the CT window in HU.
    """

    training_peak: Tensor

    def __init__(self, bias_correction: bool = False, level_hu: float = 500.0, width_hu: float = 2000.0):
        super().__init__()
        self.window = Window(level_hu, width_hu)
        self.bias_correction = bias_correction
        self.register_buffer("training_peak", torch.tensor(torch.nan))

    def fit(self, batches: Iterable[Batch]) -> None:
        """Fit on the slices of the training folds, read several times in the same order.

        Args:
            batches: MR, CT and mask, each (B, 1, H, W); iterable more than once (a list or a loader, no generator).

        Raises:
            SctError: The slices cannot determine the map (no slice, no soft tissue, no bone).
            TypeError: `batches` can be read only once.
        """
        if isinstance(batches, Iterator):
            raise TypeError("fit reads the batches several times: give a list or a loader, not an iterator")
        batches = _OnDevice(batches, self.training_peak.device)
        with torch.no_grad():
            peaks = [soft_tissue_peak(mr.float()) for mr, _, _ in batches]
            found = torch.cat(peaks) if peaks else torch.empty(0)
            found = found[~found.isnan()]
            if len(found) == 0:
                raise SctError(
                    f"{type(self).__name__}: none of the training slices shows soft tissue in the MR; "
                    "check the cohort and prepare.mr_scaling"
                )
            self.training_peak.copy_(found.median())
            self._fit(batches)

    @abstractmethod
    def _fit(self, batches: Iterable[Batch]) -> None:
        """Set the buffers of the method; `training_peak` is there already."""

    @abstractmethod
    def _gray(self, intensity: Tensor) -> Tensor:
        """CT gray, not clipped, of relative intensities; both (B, 1, H, W)."""

    def forward(self, mr: Tensor) -> Tensor:
        """Synthetic CT, gray on the scale 0..1, of MR slices; both (B, 1, H, W), float32 whatever the autocast.

        Raises:
            RuntimeError: It has not been fitted.
        """
        if bool(self.training_peak.isnan()):
            raise RuntimeError(f"{type(self).__name__} must be fitted before it predicts")
        return self._gray(self.relative_intensity(mr.float())).clamp(0.0, 1.0).float()

    def relative_intensity(self, mr: Tensor) -> Tensor:
        """MR slices (B, 1, H, W) relative to their soft tissue: about 1 there, 0 outside the mask."""
        with torch.autocast(mr.device.type, enabled=False):
            peak = soft_tissue_peak(mr)
            peak = torch.where(peak.isnan(), self.training_peak.to(mr.dtype), peak)
            if self.bias_correction:
                return mr / local_soft_tissue(mr, peak)
            return mr / peak.reshape(-1, 1, 1, 1)

    def samples(self, batches: Iterable[Batch]) -> Iterator[tuple[Tensor, Tensor]]:
        """Relative intensity and CT in HU of the pixels inside the mask, a batch at a time: two (n,) float64."""
        for mr, ct, mask in batches:
            inside = mask > 0.5 if mask.is_floating_point() else mask > 0
            intensity = self.relative_intensity(mr.float())[inside]
            yield intensity.double(), self.hu(ct[inside].double())

    def hu(self, gray: Tensor) -> Tensor:
        """HU of gray values."""
        return gray_to_hu(gray, self.window)

    def gray(self, hu: Tensor) -> Tensor:
        """Gray values of HU, not clipped."""
        return hu_to_gray(hu, self.window)


class _OnDevice(Iterable[Batch]):
    """The same batches on the device of the buffers."""

    def __init__(self, batches: Iterable[Batch], device: torch.device):
        self.batches, self.device = batches, device

    def __iter__(self) -> Iterator[Batch]:
        for mr, ct, mask in self.batches:
            yield mr.to(self.device), ct.to(self.device), mask.to(self.device)

"""Intensity of MR slices relative to their soft tissue: what makes scanners comparable to a classical method.

MR intensities have no unit. The methods of this room read them relative to the soft-tissue peak of the histogram,
which a proton-density-weighted ZTE or UTE image has at nearly one place for all soft tissues (Wiesinger et al., Magn
Reson Med 2016;75:107-114, doi 10.1002/mrm.25545). All functions treat each slice of a batch on its own.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["LEVELS", "local_soft_tissue", "otsu_level", "slice_histogram", "soft_tissue_peak"]

LEVELS = 256
"""Gray levels of the 8-bit slices."""

SMOOTHING_LEVELS = 3.0
"""Standard deviation, in gray levels, that smooths a histogram before its peak is taken (assumed)."""

SMALLEST_CONTENT = 0.01
"""Share of the frame that must hold soft tissue for a slice to have a peak of its own (assumed)."""

BIAS_SIGMA = 0.1
"""Standard deviation of the bias field's smoothing as a share of the frame's side (assumed: about 2 cm of a head)."""

COARSE_PX = 4
"""Side in pixels of the cells on which the bias field is smoothed."""


def slice_histogram(mr: Tensor) -> Tensor:
    """Counts (B, 256) int64 of the 8-bit levels of gray slices (B, 1, H, W) on the scale 0..1.

    Level 0 is left out (count 0): it is the outside of the mask.
    """
    batch = mr.shape[0]
    levels = (mr.reshape(batch, -1) * (LEVELS - 1)).round().clamp(0, LEVELS - 1).long()
    offsets = torch.arange(batch, device=mr.device).unsqueeze(1) * LEVELS
    counts = torch.bincount((levels + offsets).reshape(-1), minlength=batch * LEVELS).reshape(batch, LEVELS)
    counts[:, 0] = 0
    return counts


def otsu_level(counts: Tensor) -> Tensor:
    """Otsu's threshold (B,) int64 of histograms (B, 256): the last level of the lower class.

    The level with the largest variance between the two classes (Otsu, IEEE Trans SMC 1979;9:62-66); 0 for an empty
    histogram or one with a single level.
    """
    levels = torch.arange(LEVELS, device=counts.device)
    # Summed as integers: exact, and deterministic on every device.
    below, sum_below = counts.cumsum(1).double(), (counts * levels).cumsum(1).double()
    total, sum_total = below[:, -1:], sum_below[:, -1:]
    above = total - below
    between = (sum_total * below - sum_below * total) ** 2 / (below * above)
    return torch.where((below > 0) & (above > 0), between, -1.0).argmax(1)


def soft_tissue_peak(mr: Tensor) -> Tensor:
    """Gray value (B,) of the soft-tissue peak of each slice (B, 1, H, W); NaN where a slice has too little of it.

    The mode of the smoothed histogram above the slice's Otsu threshold, so that a large airway or much bone, all dark,
    cannot be taken for it.
    """
    counts = slice_histogram(mr)
    levels = torch.arange(LEVELS, device=mr.device)
    bright = counts * (levels > otsu_level(counts).unsqueeze(1))
    distance = (levels.unsqueeze(0) - levels.unsqueeze(1)).double()
    smoothed = bright.double() @ torch.exp(-0.5 * (distance / SMOOTHING_LEVELS) ** 2)
    peak = smoothed.argmax(1).to(mr.dtype) / (LEVELS - 1)
    enough = bright.sum(1) >= SMALLEST_CONTENT * mr[0].numel()
    return torch.where(enough & (peak > 0), peak, torch.nan)


def local_soft_tissue(mr: Tensor, peak: Tensor) -> Tensor:
    """Smooth soft-tissue intensity (B, 1, H, W) of slices (B, 1, H, W): coil bias times the soft-tissue peak.

    Normalised convolution (Knutsson & Westin, CVPR 1993) of the pixels above the Otsu threshold with a wide Gaussian;
    bone and air have no weight, so they are not levelled away. Far from any soft tissue it falls back to `peak`.

    Args:
        mr: Gray slices on the scale 0..1.
        peak: Soft-tissue peak (B,) of each slice, without NaN.
    """
    threshold = otsu_level(slice_histogram(mr)).to(mr.dtype) / (LEVELS - 1)
    weight = (mr > threshold.reshape(-1, 1, 1, 1)).to(mr.dtype)
    prior = 1e-3
    total = _gaussian(mr * weight) + prior * peak.reshape(-1, 1, 1, 1)
    return total / (_gaussian(weight) + prior)


def _gaussian(images: Tensor) -> Tensor:
    """Wide Gaussian of images (B, 1, H, W), zero outside the frame; sigma is `BIAS_SIGMA` of the longer side.

    Computed on means of `COARSE_PX` x `COARSE_PX` pixels, which so wide a Gaussian cannot tell from the pixels.
    """
    height, width = images.shape[-2:]
    coarse = F.interpolate(images, (-(-height // COARSE_PX), -(-width // COARSE_PX)), mode="area")
    sigma = BIAS_SIGMA * max(coarse.shape[-2:])
    radius = int(3 * sigma) + 1
    offsets = torch.arange(-radius, radius + 1, device=images.device, dtype=images.dtype)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = kernel / kernel.sum()
    rows = F.conv2d(coarse, kernel.reshape(1, 1, -1, 1), padding=(radius, 0))
    smooth = F.conv2d(rows, kernel.reshape(1, 1, 1, -1), padding=(0, radius))
    return F.interpolate(smooth, (height, width), mode="bilinear", align_corners=False)

"""Random flips, rotation and crop of whole batches: sampled apart from applied, one affine map per slice.

Source: Bambach & Ho 2022, Methods: random horizontal and vertical flips, rotation by less than 10 degrees, crop by less
than 10 %. The probability of a flip (0.5) and the uniform laws are our assumptions.
"""

from dataclasses import dataclass
from math import pi

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["AugmentSettings", "apply_affine", "gray_by_pixel", "sample_affine"]


@dataclass(frozen=True)
class AugmentSettings:
    """Laws of the random maps.

    Attributes:
        flip_probability: Of each flip, left-right and up-down, independently.
        rotation_deg: The angle is uniform in (-rotation_deg, rotation_deg).
        crop: The side of the crop is uniform in (1 - crop, 1) of the image's, its place uniform; then resized back.
    """

    flip_probability: float = 0.5
    rotation_deg: float = 10.0
    crop: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.flip_probability <= 1:
            raise ValueError(f"flip_probability must be inside 0..1, not {self.flip_probability}")
        if not 0 <= self.rotation_deg <= 180:
            raise ValueError(f"rotation_deg must be inside 0..180, not {self.rotation_deg}")
        if not 0 <= self.crop < 1:
            raise ValueError(f"crop must be inside [0, 1), not {self.crop}")


def sample_affine(n: int, settings: AugmentSettings, generator: torch.Generator) -> Tensor:
    """Draw one map for each of `n` slices: first flipped, then rotated, then cropped.

    Args:
        n: Number of slices.
        settings: The laws.
        generator: A generator on the CPU; each slice takes the same number of draws whatever the settings.

    Returns:
        Float32 (n, 2, 3) on the CPU: maps a point (x right, y down; the image spans -1..1) of the output to its place
        in the input.
    """
    draws = torch.rand(n, 6, generator=generator, dtype=torch.float64)
    flip = 1.0 - 2.0 * (draws[:, :2] < settings.flip_probability)
    angle = (2 * draws[:, 2] - 1) * settings.rotation_deg * pi / 180
    side = 1 - settings.crop * draws[:, 3]
    shift = (2 * draws[:, 4:] - 1) * (1 - side).unsqueeze(1)
    cos, sin = angle.cos(), angle.sin()
    rotation = torch.stack([cos, -sin, sin, cos], dim=1).view(n, 2, 2)
    linear = flip.unsqueeze(2) * rotation * side.view(n, 1, 1)
    offset = flip * (rotation @ shift.unsqueeze(2)).squeeze(2)
    return torch.cat([linear, offset.unsqueeze(2)], dim=2).float()


def apply_affine(images: Tensor, theta: Tensor) -> Tensor:
    """Map a batch of square images, bilinear, 0 outside, all channels of a slice alike.

    Args:
        images: Floating point (B, C, S, S).
        theta: (B, 2, 3) as from `sample_affine`, on the images' device.

    Returns:
        (B, C, S, S). Flips alone are exact to 1e-4 of a gray level, because coordinates are rounded to float32.

    Raises:
        ValueError: The images are not square (a rotation would shear them).
    """
    if images.shape[-1] != images.shape[-2]:
        raise ValueError(f"images must be square, not {tuple(images.shape[-2:])}")
    grid = F.affine_grid(theta.to(images.dtype), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def gray_by_pixel(levels: Tensor, theta: Tensor) -> Tensor:
    """`apply_affine` of 8-bit levels, written out pixel by pixel: for `torch.compile`, which makes one kernel of it.

    Eager, it takes a multiple of `apply_affine`'s time. It differs from it by the rounding of coordinates: a hundredth
    of a gray level at 224 pixels.

    Args:
        levels: Uint8 (B, C, S, S).
        theta: (B, 2, 3) as from `sample_affine`, on the levels' device.

    Returns:
        Gray values 0..1, float32 (B, C, S, S).
    """
    n, channels, size, _ = levels.shape
    # coordinates of every channel anew, in the shape of the result: the compiler then joins all of it
    maps = theta[:, None, :, :, None, None].expand(-1, channels, -1, -1, -1, -1)
    centres = (2 * torch.arange(size, device=levels.device) + 1) / size - 1
    x, y = centres, centres[:, None]
    column, row = (
        ((maps[:, :, k, 0] * x + maps[:, :, k, 1] * y + maps[:, :, k, 2]) * size + size - 1) / 2 for k in (0, 1)
    )
    left, top = column.floor(), row.floor()
    slices = torch.arange(n, device=levels.device)[:, None, None, None]
    numbers = torch.arange(channels, device=levels.device)[:, None, None]
    total = torch.zeros_like(column)
    for j, right_share in ((left, left + 1 - column), (left + 1, column - left)):
        for i, lower_share in ((top, top + 1 - row), (top + 1, row - top)):
            inside = (i >= 0) & (i < size) & (j >= 0) & (j < size)
            pixels = levels[slices, numbers, i.clamp(0, size - 1).long(), j.clamp(0, size - 1).long()]
            total = total + torch.where(inside, right_share * lower_share, 0.0) * pixels
    return total / 255

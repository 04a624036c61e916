"""A three-dimensional image with its place in the world."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["AIR_HU", "Volume"]

AIR_HU = -1000.0
"""What stands in a CT, true or synthetic, where nothing was seen: padding, outside the field of view and the head."""


@dataclass(frozen=True)
class Volume:
    """Voxels and the affine that places them.

    Attributes:
        data: Array (X, Y, Z); HU for CT, arbitrary units for MR.
        affine: Array (4, 4), float64: voxel index -> world position in mm, axes RAS (NIfTI's convention).
    """

    data: NDArray[np.generic]
    affine: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.data.ndim != 3:
            raise ValueError(f"a volume has 3 dimensions, not {self.data.ndim}")
        if self.affine.shape != (4, 4) or abs(np.linalg.det(self.affine[:3, :3])) < 1e-12:
            raise ValueError("the affine must be an invertible 4 x 4 matrix")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along each axis."""
        x, y, z = self.data.shape
        return x, y, z

    @property
    def spacing_mm(self) -> NDArray[np.float64]:
        """Distance of neighbouring voxels along each axis in mm, shape (3,)."""
        return np.asarray(np.linalg.norm(self.affine[:3, :3], axis=0))

    def to_ras(self) -> "Volume":
        """The same voxels, axes permuted and flipped to the closest right-anterior-superior order; no resampling."""
        order, flips = _closest_axes(self.affine)
        data = np.transpose(self.data, order)
        affine = self.affine[:, [*order, 3]].copy()
        for axis in range(3):
            if flips[axis]:
                data = np.flip(data, axis)
                affine[:3, 3] += affine[:3, axis] * (data.shape[axis] - 1)
                affine[:3, axis] *= -1
        return Volume(data, affine)


def _closest_axes(affine: NDArray[np.float64]) -> tuple[list[int], list[bool]]:
    """Which voxel axis runs along each world axis, and whether it runs backwards.

    The assignment maximises the total alignment, so that an oblique volume never gives one axis twice.
    """
    from scipy.optimize import linear_sum_assignment

    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    world, voxel = linear_sum_assignment(-np.abs(directions))
    order = [int(v) for _, v in sorted(zip(world, voxel, strict=True))]
    return order, [bool(directions[w, v] < 0) for w, v in enumerate(order)]

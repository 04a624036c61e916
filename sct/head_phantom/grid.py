"""The voxel grid on which anatomy is painted, and the painting block by block."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Grid", "blocks"]

_BLOCK = 24  # voxels along an edge: a block's arrays stay in the processor's cache


@dataclass(frozen=True)
class Grid:
    """Cubic voxels with axes along the world's.

    Attributes:
        first_mm: World position of the first voxel's centre.
        spacing_mm: Edge of a voxel.
        shape: Number of voxels.
    """

    first_mm: tuple[float, float, float]
    spacing_mm: float
    shape: tuple[int, int, int]

    @classmethod
    def covering(cls, low_mm: NDArray[np.float64], high_mm: NDArray[np.float64], spacing_mm: float) -> Self:
        """The grid whose voxels together fill the box from `low_mm` on, and reach at least to `high_mm`."""
        shape = [int(np.ceil((b - a) / spacing_mm - 1e-9)) for a, b in zip(low_mm, high_mm, strict=True)]
        first = [float(a + spacing_mm / 2) for a in low_mm]
        return cls((first[0], first[1], first[2]), spacing_mm, (shape[0], shape[1], shape[2]))

    @property
    def affine(self) -> NDArray[np.float64]:
        """Voxel index -> world mm, shape (4, 4)."""
        affine = np.diag([self.spacing_mm] * 3 + [1.0])
        affine[:3, 3] = self.first_mm
        return affine

    def axis_mm(self, axis: int) -> NDArray[np.float64]:
        """World positions of the voxel centres along an axis."""
        return np.asarray(self.first_mm[axis] + self.spacing_mm * np.arange(self.shape[axis]))


def blocks(shape: tuple[int, int, int]) -> Iterator[tuple[slice, slice, slice]]:
    """Slices of the blocks that tile an array."""
    cuts: Callable[[int], list[slice]] = lambda n: [slice(i, min(i + _BLOCK, n)) for i in range(0, n, _BLOCK)]  # noqa: E731
    for i in cuts(shape[0]):
        for j in cuts(shape[1]):
            for k in cuts(shape[2]):
                yield i, j, k

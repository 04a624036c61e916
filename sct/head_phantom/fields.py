"""Smooth random fields over the world, defined on a lattice in mm: the same field at any voxel size."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["LatticeField"]

Array = NDArray[np.float32]


@dataclass(frozen=True)
class LatticeField:
    """A cubic B-spline over a cubic lattice.

    Attributes:
        values: Coefficients (nx, ny, nz), float32.
        origin_mm: World position of the first node.
        pitch_mm: Distance of neighbouring nodes.
    """

    values: Array
    origin_mm: tuple[float, float, float]
    pitch_mm: float

    @classmethod
    def noise(
        cls,
        rng: np.random.Generator,
        low_mm: tuple[float, float, float],
        high_mm: tuple[float, float, float],
        pitch_mm: float,
    ) -> Self:
        """White Gaussian coefficients, scaled so that the field has a standard deviation of about one."""
        origin = tuple(value - 2 * pitch_mm for value in low_mm)
        shape = [int(np.ceil((high - low) / pitch_mm)) + 5 for low, high in zip(low_mm, high_mm, strict=True)]
        values = rng.standard_normal(shape, dtype=np.float32)
        values *= np.float32(_ROOT_MEAN_ENERGY**-3)
        return cls(values, (origin[0], origin[1], origin[2]), pitch_mm)

    def on_axes(self, x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]) -> Array:
        """The field on the grid spanned by three axes in world mm, shape (len(x), len(y), len(z)).

        The B-spline is separable, so a grid costs three small matrix products. Outside the lattice the field is zero.
        """
        result = self.values
        for axis, places in enumerate((x, y, z)):
            start, weights = _weights(places, self.origin_mm[axis], self.pitch_mm, result.shape[axis])
            part = np.take(result, range(start, start + weights.shape[1]), axis=axis)
            result = np.moveaxis(np.tensordot(weights, part, axes=(1, axis)), 0, axis)
        return np.ascontiguousarray(result, dtype=np.float32)


# Root mean square over a cell of the B-spline weights' norm: sqrt(151/315) in one dimension.
_ROOT_MEAN_ENERGY = (151 / 315) ** 0.5


def _weights(places: NDArray[np.float64], origin: float, pitch: float, size: int) -> tuple[int, Array]:
    """First node used and the dense weights (len(places), nodes) of the cubic B-spline."""
    t = (np.asarray(places, dtype=np.float64) - origin) / pitch
    cell = np.floor(t).astype(np.int64)
    f = t - cell
    taps = np.stack(
        [(1 - f) ** 3 / 6, (3 * f**3 - 6 * f**2 + 4) / 6, (-3 * f**3 + 3 * f**2 + 3 * f + 1) / 6, f**3 / 6], axis=1
    )
    node = cell[:, None] + np.arange(-1, 3)
    taps[(node < 0) | (node >= size)] = 0.0
    node = np.clip(node, 0, size - 1)
    start, stop = int(node.min()), int(node.max()) + 1
    weights = np.zeros((len(t), stop - start), dtype=np.float32)
    np.add.at(weights, (np.arange(len(t))[:, None], node - start), taps.astype(np.float32))
    return start, weights

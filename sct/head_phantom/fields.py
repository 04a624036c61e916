"""Smooth random fields over the world, defined on a lattice in mm: the same field at any voxel size."""

from dataclasses import dataclass
from typing import Any, Self

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
        periodic: Whether the lattice repeats for ever; otherwise the field is zero outside.
    """

    values: Array
    origin_mm: tuple[float, float, float]
    pitch_mm: float
    periodic: bool = False

    @classmethod
    def noise(
        cls,
        rng: np.random.Generator,
        low_mm: tuple[float, float, float],
        high_mm: tuple[float, float, float],
        pitch_mm: float,
        periodic: bool = False,
    ) -> Self:
        """White Gaussian coefficients, scaled so that the field has a standard deviation of about one."""
        origin = tuple(value - 2 * pitch_mm for value in low_mm)
        shape = [int(np.ceil((high - low) / pitch_mm)) + 5 for low, high in zip(low_mm, high_mm, strict=True)]
        values = rng.standard_normal(shape, dtype=np.float32)
        values *= np.float32(_ROOT_MEAN_ENERGY**-3)
        return cls(values, (origin[0], origin[1], origin[2]), pitch_mm, periodic)

    def on_axes(self, x: NDArray[Any], y: NDArray[Any], z: NDArray[Any]) -> Array:
        """The field on the grid spanned by three axes in world mm, shape (len(x), len(y), len(z)).

        The B-spline is separable, so a grid costs three small matrix products.
        """
        near, parts = self.values, []
        for axis, places in enumerate((x, y, z)):
            nodes, weights = _weights(places, self.origin_mm[axis], self.pitch_mm)
            size = near.shape[axis]
            if not self.periodic:
                known = (nodes >= 0) & (nodes < size)
                nodes, weights = nodes[known], weights[:, known]
                if not len(nodes):
                    return np.zeros((len(x), len(y), len(z)), dtype=np.float32)
            start = int(nodes[0]) % size
            if start + len(nodes) <= size:
                near = near[(slice(None),) * axis + (slice(start, start + len(nodes)),)]
            else:
                near = np.take(near, nodes % size, axis=axis)
            parts.append(weights)
        # In this order no product needs its operands moved in memory.
        first = (parts[0] @ near.reshape(len(near), -1)).reshape(len(x), *near.shape[1:])
        second = np.matmul(parts[1], first)
        return np.asarray((second.reshape(-1, near.shape[2]) @ parts[2].T).reshape(len(x), len(y), len(z)))


# Root mean square over a cell of the B-spline weights' norm: sqrt(151/315) in one dimension.
_ROOT_MEAN_ENERGY = (151 / 315) ** 0.5


def _weights(places: NDArray[np.float64], origin: float, pitch: float) -> tuple[NDArray[np.int64], Array]:
    """Numbers of the nodes that matter, and the dense weights (len(places), nodes) of the cubic B-spline."""
    t = (np.asarray(places, dtype=np.float64) - origin) / pitch
    nodes = np.arange(int(np.floor(t.min())) - 1, int(np.floor(t.max())) + 3)
    u = np.abs(t[:, None] - nodes)
    weights = np.where(u < 1, 2 / 3 - u * u + u**3 / 2, np.maximum(2 - u, 0) ** 3 / 6)
    return nodes, weights.astype(np.float32)

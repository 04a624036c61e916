"""Texture: random fields of several scales, apart for CT and MR."""

import numpy as np
from numpy.typing import NDArray

from sct.head_phantom.fields import LatticeField
from sct.head_phantom.grid import Grid, blocks

__all__ = ["texture"]

Array = NDArray[np.float32]


def texture(grid: Grid, rng: np.random.Generator, scales: tuple[tuple[float, float], ...]) -> Array:
    """A sum of smooth noise fields.

    Args:
        grid: Where to compute it.
        rng: Draws the fields; their lattices lie in the world, so the texture does not depend on the voxel size.
        scales: Pitch in mm and weight of each field; weights are scaled to a variance of one.

    Returns:
        Array of the grid's shape, unit variance.
    """
    low, high = (-200.0, -200.0, -230.0), (200.0, 200.0, 230.0)
    norm = float(np.sqrt(sum(weight * weight for _, weight in scales)))
    result = np.zeros(grid.shape, dtype=np.float32)
    axes = [grid.axis_mm(i) for i in range(3)]
    for pitch_mm, weight in scales:
        # Fine lattices repeat after 64 nodes: nobody sees it, and memory stays small.
        field = LatticeField.noise(rng, low, high, pitch_mm) if pitch_mm >= 5 else _tile(rng, pitch_mm)
        for i, j, k in blocks(grid.shape):
            part = field.on_axes(axes[0][i], axes[1][j], axes[2][k])
            result[i, j, k] += np.float32(weight / norm) * part
    return result


def _tile(rng: np.random.Generator, pitch_mm: float) -> LatticeField:
    return LatticeField.noise(rng, (0.0,) * 3, (60 * pitch_mm,) * 3, pitch_mm, periodic=True)

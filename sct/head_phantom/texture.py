"""Texture: random fields of several scales, apart for CT and MR."""

import numpy as np
from numpy.typing import NDArray

from sct.head_phantom.fields import LatticeField
from sct.head_phantom.grid import Grid, blocks

__all__ = ["texture"]

Array = NDArray[np.float32]


def texture(strength: Array, grid: Grid, rng: np.random.Generator, scales: tuple[tuple[float, float], ...]) -> Array:
    """A sum of smooth noise fields, weighted voxel by voxel.

    Args:
        strength: Standard deviation of the texture in each voxel (X, Y, Z); overwritten by the result.
        grid: Where that is.
        rng: Draws the fields; their lattices lie in the world, so the texture does not depend on the voxel size.
        scales: Pitch in mm and weight of each field; weights are scaled to a variance of one.

    Returns:
        The texture, zero where `strength` is zero.
    """
    low, high = (-200.0, -200.0, -230.0), (200.0, 200.0, 230.0)
    norm = float(np.sqrt(sum(weight * weight for _, weight in scales)))
    # Fine lattices repeat after 64 nodes: nobody sees it, and memory stays small.
    fields = [LatticeField.noise(rng, low, high, pitch) if pitch >= 5 else _tile(rng, pitch) for pitch, _ in scales]
    axes = [grid.axis_mm(i) for i in range(3)]
    for i, j, k in blocks(grid.shape):
        part = strength[i, j, k]
        if part.any():
            total = np.zeros(part.shape, dtype=np.float32)
            for field, (pitch_mm, weight) in zip(fields, scales, strict=True):
                if pitch_mm < 0.6 * grid.spacing_mm:
                    continue  # a voxel averages it away
                total += np.float32(weight / norm) * field.on_axes(axes[0][i], axes[1][j], axes[2][k])
            part *= total
    return strength


def _tile(rng: np.random.Generator, pitch_mm: float) -> LatticeField:
    return LatticeField.noise(rng, (0.0,) * 3, (60 * pitch_mm,) * 3, pitch_mm, periodic=True)

"""A block of voxels on which structures are painted from the innermost to the outermost."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.head_phantom.shapes import cover
from sct.head_phantom.tissue import Tissue

__all__ = ["Canvas"]

Array = NDArray[np.floating[Any]]


@dataclass
class Canvas:
    """Coordinates of a block of voxels, and the share of each tissue in each voxel.

    Painting goes front to back: what is painted first hides what comes later, and a voxel that a thin structure fills
    in part leaves the rest to the next. So shares add up to one and partial volume needs no second thought.

    Attributes:
        x: Anatomical coordinates (mm of an average adult; x right, y front, z up; origin midway between the ears),
            shape (nx, ny, nz). Same for y, z.
        width: Edge of a voxel in these coordinates, over which edges are softened.
        noise: Smooth random fields of unit variance, by name, on the same voxels.
        ax: |x|: most of a head comes in pairs.
        fractions: Share of each tissue that is there, (nx, ny, nz).
        rest: Share that is still free.
    """

    x: Array
    y: Array
    z: Array
    width: float
    noise: dict[str, Array]
    ax: Array = field(init=False)
    fractions: dict[Tissue, Array] = field(init=False)
    rest: Array = field(init=False)

    def __post_init__(self) -> None:
        self.ax = np.abs(self.x)
        self.fractions = {}
        self.rest = np.ones_like(self.x)
        self._low = [float(c.min()) for c in (self.x, self.y, self.z)]
        self._high = [float(c.max()) for c in (self.x, self.y, self.z)]

    def touches(self, low: tuple[float, float, float], high: tuple[float, float, float]) -> bool:
        """Whether the box, or its mirror image at x = 0, reaches into this block."""
        margin = self.width
        if any(self._low[i] > high[i] + margin or self._high[i] < low[i] - margin for i in (1, 2)):
            return False
        one_side = self._low[0] <= high[0] + margin and self._high[0] >= low[0] - margin
        return one_side or (-self._high[0] <= high[0] + margin and -self._low[0] >= low[0] - margin)

    def by_side(self, pair: tuple[float, float]) -> np.float32 | Array:
        """The value of the right side where x > 0, of the left where x < 0."""
        right, left = pair
        if right == left or self._low[0] >= 0:
            return np.float32(right)
        return np.float32(left) if self._high[0] <= 0 else np.where(self.x > 0, np.float32(right), np.float32(left))

    def paint(self, tissue: Tissue, distance: Array) -> None:
        """Fill what is still free inside a surface given by signed distances."""
        self.paint_share(tissue, cover(distance, self.width))

    def paint_layers(self, layers: Sequence[tuple[Tissue, Array]]) -> None:
        """Fill nested surfaces, the innermost first; exact also where layers are thinner than a voxel."""
        before: Array | float = 0.0
        free = self.rest.copy()
        for tissue, distance in layers:
            share = np.maximum(cover(distance, self.width), before)
            self._fill(tissue, free * (share - before))
            before = share

    def paint_share(self, tissue: Tissue, share: Array) -> None:
        """Fill a share (0..1) of what is still free."""
        self._fill(tissue, self.rest * share)

    def mix(self, table: Array) -> Array:
        """Columns of `table` (channels, tissues) mixed by the shares of the tissues: (channels, nx, ny, nz)."""
        result = np.zeros((len(table), *self.x.shape), dtype=np.float32)
        for tissue, share in self.fractions.items():
            for channel, value in enumerate(table[:, tissue]):
                if value:
                    result[channel] += np.float32(value) * share
        return result

    def _fill(self, tissue: Tissue, filled: Array) -> None:
        if tissue in self.fractions:
            self.fractions[tissue] += filled
        else:
            self.fractions[tissue] = filled
        self.rest -= filled

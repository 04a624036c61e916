"""A block of voxels on which structures are painted from the innermost to the outermost."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sct.head_phantom.shapes import cover
from sct.head_phantom.tissue import Tissue

__all__ = ["Canvas"]

Array = NDArray[np.float32]


@dataclass
class Canvas:
    """Coordinates of a block of voxels, and the share of each tissue in each voxel.

    Painting goes front to back: what is painted first hides what comes later, and a voxel that a thin structure fills
    in part leaves the rest to the next. So shares add up to one and partial volume needs no second thought.

    Attributes:
        x: Anatomical coordinates (mm of an average adult; x right, y front, z up; origin midway between the ears),
            shape (nx, ny, nz). Same for y, z.
        width_mm: Edge of a voxel in these coordinates, over which edges are softened.
    """

    x: Array
    y: Array
    z: Array
    width_mm: float
    ax: Array = field(init=False)
    fractions: Array = field(init=False)
    rest: Array = field(init=False)

    def __post_init__(self) -> None:
        self.ax = np.abs(self.x)
        self.fractions = np.zeros((len(Tissue), *self.x.shape), dtype=np.float32)
        self.rest = np.ones_like(self.x)
        self._low = np.array([c.min() for c in (self.x, self.y, self.z)])
        self._high = np.array([c.max() for c in (self.x, self.y, self.z)])

    def touches(self, low: tuple[float, float, float], high: tuple[float, float, float], mirror: bool = False) -> bool:
        """Whether the box reaches into this block; with `mirror`, the box or its mirror image at x = 0."""
        margin = self.width_mm
        if any(self._low[i] > high[i] + margin or self._high[i] < low[i] - margin for i in (1, 2)):
            return False
        if self._low[0] <= high[0] + margin and self._high[0] >= low[0] - margin:
            return True
        return mirror and bool(-self._high[0] <= high[0] + margin and -self._low[0] >= low[0] - margin)

    def paint(self, tissue: Tissue, distance_mm: Array) -> None:
        """Fill what is still free inside a surface given by signed distances."""
        self.paint_share(tissue, cover(distance_mm, self.width_mm))

    def paint_share(self, tissue: Tissue, share: Array) -> None:
        """Fill a share (0..1) of what is still free."""
        filled = self.rest * share
        self.fractions[tissue] += filled
        self.rest -= filled

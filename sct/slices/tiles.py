"""A slice larger than the network's input, covered by crops of its own pixels.

Source: Bambach & Ho 2022, Discussion (future work): patches for a higher-resolution output.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sct.slices.frame import Frame, crop

__all__ = ["Tile", "tiles_of"]


@dataclass(frozen=True)
class Tile:
    """One crop of a slice.

    Attributes:
        frame: Where it is cut out.
        counts: Boolean (side, side): the pixels of the mask that this crop answers for. Each pixel of a mask counts in
            one of its crops, the one whose centre is nearest.
    """

    frame: Frame
    counts: NDArray[np.bool_]


def tiles_of(mask: NDArray[np.bool_], side: int, overlap: float = 0.0, phase: float = 0.5) -> list[Tile]:
    """Cover a mask by as few crops of one size as the overlap allows.

    Along an axis on which the mask is no longer than a crop there is one, centred as `frame_of` centres it. Along a
    longer one the crops stand at equal distances and reach beyond the mask by less than that distance. Crops that no
    pixel of the mask counts in are left out.

    Args:
        mask: Boolean (H, W), not empty.
        side: Of a crop, in pixels.
        overlap: Share of its side that a crop has in common with the next, from 0 up to but not 1.
        phase: How much of what reaches beyond the mask is above and left of it, 0..1. Another phase from slice to slice
            keeps the edges of the crops from lying at the same anatomy in all of them.

    Returns:
        From top to bottom, from left to right.

    Raises:
        ValueError: The mask is empty.
    """
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        raise ValueError("an empty mask has no tiles")
    stride = max(1, round(side * (1 - overlap)))
    tiles = []
    for row, row_span in _along(int(rows[0]), int(rows[-1]) + 1, side, stride, phase):
        for col, col_span in _along(int(cols[0]), int(cols[-1]) + 1, side, stride, phase):
            frame = Frame(row, col, side)
            counts = np.zeros((side, side), bool)
            counts[row_span, col_span] = crop(mask, frame, 0)[row_span, col_span]
            if counts.any():
                tiles.append(Tile(frame, counts))
    return tiles


def _along(first: int, end: int, side: int, stride: int, phase: float) -> list[tuple[int, slice]]:
    """Start of each crop along an axis, and the part of it that is nearer to its centre than to its neighbours'."""
    n = 1 + max(0, math.ceil((end - first - side) / stride))
    beyond = side + (n - 1) * stride - (end - first)
    start = first - (beyond // 2 if n == 1 else math.floor(beyond * phase))
    # two neighbours share what lies between them in the middle
    cut = (side - stride) // 2
    return [
        (start + k * stride, slice(0 if k == 0 else side - stride - cut, side if k == n - 1 else side - cut))
        for k in range(n)
    ]

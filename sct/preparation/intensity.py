"""What a head looks like in an MR, as histograms of gray by depth under its surface.

Fat of the scalp, cortical bone, marrow, fluid and brain lie at their own depths, and each contrast of MR has its own
gray for them. Gray is taken relative to the 75th percentile of the whole head, so that one bright vessel or spike,
which moves the whole range, does not hide the contrast.
"""

import numpy as np
from numpy.typing import NDArray

from sct.preparation.store import CHANNELS, StoredParticipant
from sct.preparation.whole_slices import entries_by_slice, whole_slice
from sct.slices.planes import PLANES

__all__ = [
    "DEPTHS_MM",
    "LEVELS",
    "evenly",
    "gray_counts",
    "intensity_distance",
    "percentile_level",
    "relative_histograms",
    "stored_counts",
]

DEPTHS_MM = (8.0, 16.0, 30.0)
"""Where a layer ends and the next begins: scalp, skull of a child or an adult, what lies under it, the middle."""
LEVELS = 256
_BINS = 64  # of a relative histogram, which ends at twice the percentile
_QUANTILE = 0.75
_MOST_SLICES = 32  # of a head: enough for its histogram, quick to read

_MR, _MASK = CHANNELS.index("mr"), CHANNELS.index("mask")


def evenly(n: int) -> NDArray[np.int64]:
    """Numbers of up to 32 of n slices, evenly spaced."""
    return np.unique(np.linspace(0, max(n - 1, 0), min(_MOST_SLICES, n)).round().astype(np.int64))


def gray_counts(gray8: NDArray[np.uint8], mask: NDArray[np.bool_], pixel_mm: float) -> NDArray[np.float64]:
    """Area of each gray level in each layer of depth.

    Depth is the distance to the edge of the mask along the row or the column, whichever is less.

    Args:
        gray8: Array (H, W), levels 0..255.
        mask: Boolean (H, W).
        pixel_mm: Side of a pixel.

    Returns:
        Array (4, 256), mm^2.
    """
    depth_mm = _depth_px(mask)[mask] * pixel_mm
    cells = np.searchsorted(DEPTHS_MM, depth_mm) * LEVELS + gray8[mask]
    n_layers = len(DEPTHS_MM) + 1
    pixels = np.bincount(cells, minlength=n_layers * LEVELS).reshape(n_layers, LEVELS)
    return np.asarray(pixels * pixel_mm**2, np.float64)


def stored_counts(participant: StoredParticipant) -> NDArray[np.float64]:
    """The same summed over slices of a store: axial ones, or those of the first plane that there is; (4, 256)."""
    slices = next((found for plane in PLANES if (found := entries_by_slice(participant, plane))), [])
    counts = np.zeros((len(DEPTHS_MM) + 1, LEVELS))
    for k in evenly(len(slices)):
        channels, pixel_mm = whole_slice(participant, slices[k])
        counts += gray_counts(channels[_MR], channels[_MASK] > 0, pixel_mm)
    return counts


def percentile_level(counts: NDArray[np.floating]) -> float:
    """Gray level below which three quarters of the head lie, whatever the depth."""
    histogram = counts.sum(0)
    return float(np.searchsorted(np.cumsum(histogram), _QUANTILE * histogram.sum()))


def relative_histograms(counts: NDArray[np.floating]) -> NDArray[np.float64]:
    """Histogram of each layer over gray relative to the 75th percentile of all, 0 to 2; what exceeds 2 counts as 2.

    Args:
        counts: Array (4, 256), of `gray_counts`.

    Returns:
        Array (4, 64), each layer normalised; zeros for a layer without pixels.
    """
    unit = max(percentile_level(counts), 1.0)
    # a level covers an interval of the new scale; spreading it evenly leaves no combs
    edges = (np.arange(LEVELS + 1) - 0.5) / unit * (_BINS / 2)
    relative = np.zeros((len(counts), _BINS))
    for layer, row in zip(relative, counts, strict=True):
        if row.sum() > 0:
            cumulative = np.concatenate([[0.0], np.cumsum(row) / row.sum()])
            inner = np.interp(np.arange(1, _BINS), edges, cumulative)
            layer[:] = np.diff(inner, prepend=0.0, append=1.0)
    return relative


def intensity_distance(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Wasserstein distance of order 1 in units of the 75th percentile, mean over the layers that both heads have.

    Args:
        one: Array (4, 64), of `relative_histograms`.
        other: Likewise.
    """
    layers = (one.sum(1) > 0) & (other.sum(1) > 0)
    return float(np.abs(np.cumsum(one[layers] - other[layers], axis=1)).sum(1).mean() * 2 / _BINS)


def _depth_px(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distance of each pixel's centre to where its row and its column enter and leave the mask; (H, W)."""
    height, width = mask.shape
    rows, cols = np.arange(height)[:, None], np.arange(width)
    left, right = mask.argmax(1)[:, None], width - 1 - mask[:, ::-1].argmax(1)[:, None]
    top, bottom = mask.argmax(0), height - 1 - mask[::-1].argmax(0)
    pixels = np.minimum(np.minimum(cols - left, right - cols), np.minimum(rows - top, bottom - rows))
    return np.asarray(pixels + 0.5, np.float64)

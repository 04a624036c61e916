"""Where the body is in a CT slice: Otsu threshold, largest connected region, its convex hull.

Source: Bambach & Ho 2022, preparation step 3 ("the largest convex area of the binary image becomes the mask").
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["TISSUE_HU", "body_mask", "convex_hull", "largest_region", "otsu"]

TISSUE_HU = -200.0
"""Air lies below: a foreground with a lower mean is noise, foam or a head rest, not a body."""

_EIGHT_NEIGHBOURS = np.ones((3, 3), bool)


def body_mask(
    ct_slice_hu: NDArray[np.floating], clip_hu: tuple[float, float] = (-1000.0, 200.0), n_bins: int = 256
) -> NDArray[np.bool_]:
    """Convex mask of the body in one CT slice.

    Args:
        ct_slice_hu: Array (H, W) in HU.
        clip_hu: Range to which HU are clipped first, so that Otsu parts air from tissue and not tissue from bone.
        n_bins: Bins of Otsu's histogram.

    Returns:
        Boolean (H, W), convex. All False where there is no content: a constant slice, or a foreground whose mean is
        below `TISSUE_HU` (air alone: its noise has an Otsu threshold too).
    """
    clipped = np.clip(ct_slice_hu, *clip_hu)
    threshold, foreground_mean = otsu(clipped, n_bins)
    if not foreground_mean > TISSUE_HU:
        return np.zeros(clipped.shape, bool)
    return convex_hull(largest_region(clipped > threshold))


def otsu(image: NDArray[np.floating], n_bins: int = 256) -> tuple[float, float]:
    """Otsu's threshold: the bin centre that maximises the variance between the two classes.

    Otsu N. IEEE Trans Syst Man Cybern 1979;9:62-66. Equal to scikit-image's `threshold_otsu` of the same float64 image.

    Args:
        image: Array of any shape, not empty.
        n_bins: Bins between the image's own minimum and maximum.

    Returns:
        (threshold, mean of the values above it, from the histogram); (the value, NaN) for a constant image.
    """
    values = np.asarray(image, np.float64).ravel()
    low, high = float(values.min()), float(values.max())
    if low == high:
        return low, float("nan")
    counts, edges = _histogram(values, low, high, n_bins)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = counts.sum() - below
    sum_below = np.cumsum(counts * centres)[:-1]
    sum_above = (counts * centres).sum() - sum_below
    between = below * above * (sum_below / below - sum_above / above) ** 2
    best = int(np.argmax(between))
    return float(centres[best]), float(sum_above[best] / above[best])


def _histogram(
    values: NDArray[np.float64], low: float, high: float, n_bins: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Counts and edges of equal bins, as `numpy.histogram` gives them, in half its time."""
    edges = np.linspace(low, high, n_bins + 1)
    bins = ((values - low) / (high - low) * n_bins).astype(np.int64)
    np.minimum(bins, n_bins - 1, out=bins)
    # division rounds: a value on an edge may have landed one bin too low or too high
    bins -= values < edges[bins]
    bins += (values >= edges[bins + 1]) & (bins != n_bins - 1)
    return np.bincount(bins, minlength=n_bins), edges


def largest_region(foreground: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest region of pixels connected by edge or corner; the first of equals; all False when there is none.

    Args:
        foreground: Boolean (H, W).
    """
    labels, n_regions = ndimage.label(foreground, _EIGHT_NEIGHBOURS)
    if n_regions == 0:
        return np.zeros(foreground.shape, bool)
    sizes = np.bincount(labels.ravel())
    return np.asarray(labels == 1 + int(np.argmax(sizes[1:])))


def convex_hull(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Convex hull of a region: every pixel whose centre lies in or on the convex polygon of the region's pixel centres.

    In exact integer arithmetic. This is scikit-image's `convex_hull_image` with `offset_coordinates=False`; its default
    takes the pixels' edge midpoints instead of their centres and so reaches at most one pixel further. Here the hull of
    a hull is itself.

    Args:
        region: Boolean (H, W).

    Returns:
        Boolean (H, W); all False for an empty region.
    """
    filled = np.flatnonzero(region.any(axis=1))
    if filled.size == 0:
        return np.zeros(region.shape, bool)
    width = region.shape[1]
    left = region[filled].argmax(axis=1)
    right = width - 1 - region[filled, ::-1].argmax(axis=1)
    rows = np.arange(filled[0], filled[-1] + 1)
    first = _lower_envelope(filled, left, rows)
    last = -_lower_envelope(filled, -right, rows)
    columns = np.arange(width)
    hull = np.zeros(region.shape, bool)
    hull[rows] = (columns >= first[:, None]) & (columns <= last[:, None])
    return hull


def _lower_envelope(x: NDArray[np.int64], y: NDArray[np.int64], at: NDArray[np.int64]) -> NDArray[np.int64]:
    """The largest convex function under the points (x, y), at integers `at`, rounded up (Andrew's monotone chain)."""
    corners: list[tuple[int, int]] = []
    for point in zip(x.tolist(), y.tolist(), strict=True):
        while len(corners) > 1 and _turns_down(corners[-2], corners[-1], point):
            corners.pop()
        corners.append(point)
    if len(corners) == 1:
        return np.asarray([corners[0][1]])
    corner_x, corner_y = np.asarray(corners).T
    segment = np.searchsorted(corner_x[1:-1], at, side="right")
    run = np.diff(corner_x)[segment]
    rise = np.diff(corner_y)[segment]
    return np.asarray(corner_y[segment] - (-(at - corner_x[segment]) * rise) // run)


def _turns_down(a: tuple[int, int], b: tuple[int, int], c: tuple[int, int]) -> bool:
    """Whether b lies on or above the line from a to c, so that it is no corner of the lower envelope."""
    return (b[1] - a[1]) * (c[0] - a[0]) >= (c[1] - a[1]) * (b[0] - a[0])

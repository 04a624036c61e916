"""Where the head is, from the MR alone.

In training the mask of a slice comes from its CT (Otsu, largest region, convex hull). A new patient has no CT, and in
the MR cortical bone may be as dark as air (GRE) or gray (ZTE, UTE). So the head is found in three dimensions, where the
scalp closes around the skull, and only then each slice gets its convex hull, as in training.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sct.slices.mask import convex_hull, largest_region, otsu
from sct.slices.planes import PLANES, extract, restore

__all__ = ["HeadMask", "head_region", "mask_from_region", "mask_of_everything", "slice_hulls", "within"]

_SMOOTHING_MM = 1.0  # standard deviation: less noise at the threshold, edges stay within a voxel
_OPENING_MM = 2.0  # cuts what is thinner than twice this: coil, cables, head rest, wrap-around
_SMALLEST_PART = 0.1  # of the largest connected part: scalp and brain may be apart, a coil element is smaller


@dataclass(frozen=True)
class HeadMask:
    """Where to predict.

    Attributes:
        slices: Per plane, boolean (n, rows, cols): the convex mask of each slice; empty slices are not predicted.
        inside: Boolean (X, Y, Z): where the synthetic CT is not air.
        source: How it was made: "auto", "none", "file" or "ct".
    """

    slices: Mapping[str, NDArray[np.bool_]]
    inside: NDArray[np.bool_]
    source: str


def head_region(mr: NDArray[np.floating], spacing_mm: Sequence[float]) -> NDArray[np.bool_]:
    """The head in an MR volume of any bone technique (ZTE, UTE, GRE), holes filled.

    Otsu's threshold of the square root, twice: first between air and tissue; then with the image clipped at the
    tissue's median. Root and clipping keep bright fat or vessels, or the shading of a surface coil, from pulling the
    threshold into the tissue. Then opening, connected parts, and filling: what a slice of any plane encloses belongs to
    the head, so that dark bone and airways do.

    Args:
        mr: Array (X, Y, Z), arbitrary units; larger is brighter.
        spacing_mm: Voxel sizes, (3,).

    Returns:
        Boolean (X, Y, Z); all False for a constant volume.
    """
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(np.asarray(mr, np.float32), [_SMOOTHING_MM / mm for mm in spacing_mm])
    smooth -= smooth.min()
    np.sqrt(smooth, out=smooth)
    sample = smooth[::2, ::2, ::2]
    first, _ = otsu(sample)
    tissue = sample[sample > first]
    if tissue.size == 0:
        return np.zeros(mr.shape, bool)
    threshold, _ = otsu(np.minimum(sample, np.median(tissue)))
    foreground = smooth > threshold
    opened = _open(foreground, spacing_mm)
    parts, n_parts = ndimage.label(opened)
    if n_parts == 0:
        return _filled(foreground)
    if n_parts > 1:
        sizes = np.bincount(parts.ravel())
        sizes[0] = 0
        opened = (sizes >= _SMALLEST_PART * sizes.max())[parts]
    region = _filled(opened)
    # filling may have joined the parts; what still stands apart is not the head
    parts, n_parts = ndimage.label(region)
    if n_parts == 1:
        return region
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray(parts == sizes.argmax())


def slice_hulls(region: NDArray[np.bool_], plane: str) -> NDArray[np.bool_]:
    """Per slice of a plane the convex hull of the region's largest part, (n, rows, cols), as masks are in training."""
    slices = np.ascontiguousarray(extract(region, plane))
    return np.stack([convex_hull(largest_region(part)) for part in slices])


def mask_from_region(region: NDArray[np.bool_], planes: Sequence[str] = PLANES, source: str = "auto") -> HeadMask:
    """Slice masks of a region of the head, and where the synthetic CT is not air.

    A voxel is inside where most of the planes' hulls hold it, or the region itself and any hull: one plane's hull
    spans the gap under the chin, two of the three do not; and a small part of a slice (the chin beside the neck), which
    the largest region of its slice leaves out, is kept by the other planes.

    Args:
        region: Boolean (X, Y, Z), RAS+.
        planes: Planes to predict.
        source: Recorded in the mask.
    """
    slices = {plane: slice_hulls(region, plane) for plane in planes}
    votes = np.zeros(region.shape, np.uint8)
    for plane, hulls in slices.items():
        votes += restore(hulls, plane)
    return HeadMask(slices, (2 * votes > len(planes)) | (region & (votes > 0)), source)


def mask_of_everything(shape: tuple[int, int, int], planes: Sequence[str] = PLANES) -> HeadMask:
    """Every slice whole: for an MR that shows nothing but the head."""
    everywhere = np.ones(shape, bool)
    return HeadMask({plane: extract(everywhere, plane) for plane in planes}, everywhere, "none")


def within(head: HeadMask, seen: NDArray[np.bool_], least_px: float) -> HeadMask:
    """A mask cut to a field of view, without slices too small to be like training.

    Slices with a mask under `least_px` pixels were left out in training; the other planes predict their voxels. With
    one plane only they are kept: a strange prediction of the vertex is better than none.
    """
    slices = {plane: masks & extract(seen, plane) for plane, masks in head.slices.items()}
    if len(slices) > 1:
        slices = {plane: masks & (masks.sum((1, 2)) >= least_px)[:, None, None] for plane, masks in slices.items()}
    return HeadMask(slices, head.inside & seen, head.source)


def _open(foreground: NDArray[np.bool_], spacing_mm: Sequence[float]) -> NDArray[np.bool_]:
    """Opening by a ball: what a ball inside the foreground covers. The border of the volume is no edge of the head."""
    return _dilated(~_dilated(~foreground, spacing_mm), spacing_mm)


def _dilated(volume: NDArray[np.bool_], spacing_mm: Sequence[float]) -> NDArray[np.bool_]:
    """Voxels within the opening's radius of a true one.

    The ball is cut into lines along the last axis: the volume is dilated by lines of growing length, and shifted along
    the other axes to where the ball has a line of that length. Some twenty passes over bytes; distances to all voxels
    would take fifty times as long.
    """
    radii = [int(_OPENING_MM / mm) + 1 for mm in spacing_mm]
    grid = np.ogrid[tuple(slice(-radius, radius + 1) for radius in radii)]
    squares = [(axis * mm) ** 2 for axis, mm in zip(grid, spacing_mm, strict=True)]
    ball = np.sqrt(squares[0] + squares[1] + squares[2]) <= _OPENING_MM
    lengths = ball.sum(2) // 2  # of the line on both sides of its middle, where the ball has one
    line, out = volume.copy(), np.zeros_like(volume)
    for length in range(int(lengths.max()) + 1):
        if length:
            _add_shifted(line, volume, (0, 0, length))
            _add_shifted(line, volume, (0, 0, -length))
        for i, j in np.argwhere((lengths == length) & ball.any(2)):
            _add_shifted(out, line, (int(i) - radii[0], int(j) - radii[1], 0))
    return out


def _add_shifted(out: NDArray[np.bool_], volume: NDArray[np.bool_], shift: tuple[int, int, int]) -> None:
    """Union with a volume moved by whole voxels, in place; what leaves the volume is lost."""
    to, source = (
        tuple(slice(max(step, 0), max(n + min(step, 0), 0)) for step, n in zip(steps, out.shape, strict=True))
        for steps in (shift, [-step for step in shift])
    )
    out[to] |= volume[source]


def _filled(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Holes of every slice in every plane filled: background that no way along pixels' edges leads out of."""
    from scipy import ndimage

    filled = region.copy()
    for plane in PLANES:
        for part in extract(filled, plane):
            if not part.any():
                continue
            parts, n_parts = ndimage.label(~part)
            is_hole = np.ones(n_parts + 1, bool)
            for edge in (parts[0], parts[-1], parts[:, 0], parts[:, -1]):
                is_hole[edge] = False
            if is_hole[1:].any():
                is_hole[0] = True  # the region itself
                part[:] = is_hole[parts]
    return filled

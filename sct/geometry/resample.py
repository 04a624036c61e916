"""Volumes onto other grids: trilinear or nearest, antialiased where the target is coarser."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sct.core.volume import Volume

__all__ = ["isotropic_grid", "resample"]

# Grids whose corners agree within this part of a voxel are the same: headers keep float32.
_SAME_GRID_VOXELS = 1e-3
# Full width at half maximum -> variance of a Gaussian: 8 ln 2.
_FWHM2_PER_VARIANCE = 8.0 * np.log(2.0)


def isotropic_grid(volume: Volume, spacing_mm: float) -> tuple[tuple[int, int, int], NDArray[np.float64]]:
    """The grid of cubic voxels that covers a volume, along the volume's own axes, in the order closest to RAS+.

    The grid shares the volume's centre and covers its voxels from edge to edge, by less than a voxel more. A volume
    that has this spacing and order already gives its own grid. A sheared affine gives the closest axes that are
    perpendicular.

    Args:
        volume: Any orientation, also oblique.
        spacing_mm: Side of the new voxels in mm.

    Returns:
        Shape, and affine (4, 4): voxel -> world mm, RAS.
    """
    if not spacing_mm > 0:
        raise ValueError(f"spacing_mm must be positive, not {spacing_mm}")
    affine = volume.to_ras().affine
    u, _, vt = np.linalg.svd(affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0))
    axes = u @ vt  # the closest orthogonal matrix (polar decomposition)
    corners = np.stack(np.meshgrid(*[(-0.5, n - 0.5) for n in volume.shape], indexing="ij")).reshape(3, 8)
    world = volume.affine[:3, :3] @ corners + volume.affine[:3, 3:]
    along = axes.T @ world
    low, high = along.min(axis=1), along.max(axis=1)
    counts = np.maximum(np.ceil((high - low) / spacing_mm - _SAME_GRID_VOXELS), 1.0)
    grid = np.eye(4)
    grid[:3, :3] = axes * spacing_mm
    grid[:3, 3] = axes @ ((low + high) / 2 - (counts - 1) / 2 * spacing_mm)
    x, y, z = (int(n) for n in counts)
    return (x, y, z), grid


def resample(
    volume: Volume,
    shape: Sequence[int],
    affine: NDArray[np.float64],
    order: Literal[0, 1] = 1,
    fill: float = 0.0,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Bring a volume onto another grid.

    Along each axis where the target is coarser by a factor f, the source is smoothed first by a Gaussian with a full
    width at half maximum of sqrt(f^2 - 1) source voxels, so that the result has about the target's resolution
    (Cardoso et al., MICCAI 2015). Grids that differ only by flips, permutations, cuts and whole voxels are copied.

    The field of view reaches to the outer edge of the outer voxels; there the outer voxel's value is kept.

    Args:
        volume: Source, any real dtype.
        shape: Shape (X, Y, Z) of the target.
        affine: Array (4, 4): target voxel -> world mm, RAS.
        order: 1 for trilinear, 0 for nearest (labels and masks; never smoothed).
        fill: Value outside the source's field of view.

    Returns:
        float32 values and the field of view (which target voxels have their centre inside the source), both `shape`.
    """
    if order not in (0, 1):
        raise ValueError(f"order must be 0 or 1, not {order}")
    target_shape = (int(shape[0]), int(shape[1]), int(shape[2]))
    to_source = np.linalg.inv(volume.affine) @ affine
    copied = _copy(volume.data, to_source, target_shape, fill)
    if copied is not None:
        return copied
    matrix, offset = to_source[:3, :3], to_source[:3, 3]
    data = volume.data.astype(np.float32, copy=False)
    if order == 1:
        data = _antialias(data, matrix)
    axes = _axis_order(matrix)
    if order == 1 and axes is not None:
        values = _interpolate_axes(data, matrix, offset, axes, target_shape)
    else:
        values = ndimage.affine_transform(
            data, matrix, offset, output_shape=target_shape, output=np.float32, order=order, mode="nearest"
        )
    inside = _field_of_view(volume.shape, matrix, offset, target_shape)
    values[~inside] = fill
    return values, inside


def _copy(
    data: NDArray[np.generic], to_source: NDArray[np.float64], shape: tuple[int, int, int], fill: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]] | None:
    """The result without interpolation; None where the target's voxels do not fall on the source's."""
    rounded = np.round(to_source)
    corners = np.stack(np.meshgrid(*[(0, n - 1) for n in shape], indexing="ij")).reshape(3, 8)
    matrix, offset = rounded[:3, :3].astype(int), rounded[:3, 3].astype(int)
    is_permutation = (np.abs(matrix).sum(axis=0) == 1).all() and (np.abs(matrix).sum(axis=1) == 1).all()
    apart = (to_source - rounded)[:3] @ np.vstack([corners, np.ones(8)])
    if not is_permutation or np.abs(apart).max() > _SAME_GRID_VOXELS:
        return None
    # Source axis a runs along target axis order[a]; transposing puts it there.
    order = [int(np.flatnonzero(matrix[a])[0]) for a in range(3)]
    source = np.transpose(data, np.argsort(order))
    values = np.full(shape, fill, dtype=np.float32)
    inside = np.zeros(shape, dtype=bool)
    into: list[slice] = [slice(0)] * 3
    from_: list[slice] = [slice(0)] * 3
    for a, target_axis in enumerate(order):
        step, start, n = matrix[a, target_axis], offset[a], source.shape[target_axis]
        # Target indices j with 0 <= start + step j < n.
        low, high = (-start, n - start) if step > 0 else (start - n + 1, start + 1)
        low, high = max(low, 0), min(high, shape[target_axis])
        if low >= high:
            return values, inside
        into[target_axis] = slice(low, high)
        first, last = start + step * low, start + step * (high - 1)
        from_[target_axis] = slice(first, last + step if last + step >= 0 else None, step)
    values[tuple(into)] = source[tuple(from_)]
    inside[tuple(into)] = True
    return values, inside


def _antialias(data: NDArray[np.float32], matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """Smooth along the source axes on which a target voxel is wider than a source voxel."""
    # A row's norm is the size of a target voxel in source voxels, whatever the rotation between them.
    factors = np.linalg.norm(matrix, axis=1)
    for axis, factor in enumerate(factors):
        if factor > 1.0 + _SAME_GRID_VOXELS:
            sigma = np.sqrt((factor**2 - 1.0) / _FWHM2_PER_VARIANCE)
            data = ndimage.gaussian_filter1d(data, sigma, axis=axis, mode="nearest", output=np.float32)
    return data


def _axis_order(matrix: NDArray[np.float64]) -> list[int] | None:
    """For each source axis the one target axis that it runs along; None for grids that are oblique to each other."""
    size = np.abs(matrix)
    order = [int(np.argmax(row)) for row in size]
    rest = size.copy()
    rest[range(3), order] = 0.0
    # 1e-7 voxels per voxel: over any volume far below what float32 can tell.
    return order if sorted(order) == [0, 1, 2] and rest.max() <= 1e-7 else None


def _interpolate_axes(
    data: NDArray[np.float32],
    matrix: NDArray[np.float64],
    offset: NDArray[np.float64],
    order: list[int],
    shape: tuple[int, int, int],
) -> NDArray[np.float32]:
    """Trilinear interpolation as three linear ones, for grids with parallel axes."""
    values = np.ascontiguousarray(np.transpose(data, np.argsort(order)))
    # Axes that shrink most come first, so that little is computed.
    for a in sorted(range(3), key=lambda a: shape[order[a]] / data.shape[a]):
        axis, n = order[a], data.shape[a]
        at = np.clip(offset[a] + matrix[a, axis] * np.arange(shape[axis]), 0, n - 1)
        lower = np.minimum(at.astype(np.intp), max(n - 2, 0))
        weight = (at - lower).astype(np.float32).reshape([-1 if i == axis else 1 for i in range(3)])
        low = np.take(values, lower, axis=axis)
        high = np.take(values, np.minimum(lower + 1, n - 1), axis=axis)
        high -= low
        high *= weight
        high += low
        values = high
    return values


def _field_of_view(
    source_shape: tuple[int, int, int],
    matrix: NDArray[np.float64],
    offset: NDArray[np.float64],
    shape: tuple[int, int, int],
) -> NDArray[np.bool_]:
    """Which target voxels have their centre within the outer voxel edges of the source."""
    inside = np.ones(shape, dtype=bool)
    i, j, k = np.ogrid[: shape[0], : shape[1], : shape[2]]
    for axis, n in enumerate(source_shape):
        at = (matrix[axis, 0] * i + offset[axis]) + matrix[axis, 1] * j + matrix[axis, 2] * k
        inside &= (at >= -0.5 - _SAME_GRID_VOXELS) & (at <= n - 0.5 + _SAME_GRID_VOXELS)
    return inside

"""Volumes of known shape: HU falls linearly with the distance from a surface, so the bone surface is exact."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sct.core.volume import Volume

THRESHOLD_HU = 300.0
SLOPE_HU_PER_MM = 200.0

Distance = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def grid_affine(spacing_mm: float = 1.0, origin_mm: tuple[float, float, float] = (-20.0, -20.0, -20.0)) -> NDArray:
    affine = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
    affine[:3, 3] = origin_mm
    return affine


def solid(distance: Distance, shape: tuple[int, int, int] = (41, 41, 41), affine: NDArray | None = None) -> Volume:
    """Bone where `distance` (mm, negative inside, of world points (..., 3)) is below zero."""
    affine = grid_affine() if affine is None else affine
    voxels = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1).astype(float)
    world = voxels @ affine[:3, :3].T + affine[:3, 3]
    hu = THRESHOLD_HU - SLOPE_HU_PER_MM * distance(world)
    return Volume(np.clip(hu, -1000, 3000).astype(np.float32), affine)


def sphere(radius_mm: float, center_mm: tuple[float, float, float] = (0, 0, 0)) -> Distance:
    return lambda points: np.linalg.norm(points - np.asarray(center_mm), axis=-1) - radius_mm


def shell(inner_mm: float, outer_mm: float, center_mm: tuple[float, float, float] = (0, 0, 0)) -> Distance:
    return lambda points: np.maximum(sphere(outer_mm, center_mm)(points), -sphere(inner_mm, center_mm)(points))


def box(half_mm: tuple[float, float, float], center_mm: tuple[float, float, float] = (0, 0, 0)) -> Distance:
    """Distance to the nearest of the six planes (exact inside and beside a face)."""
    return lambda points: (np.abs(points - np.asarray(center_mm)) - np.asarray(half_mm)).max(axis=-1)


def union(*parts: Distance) -> Distance:
    return lambda points: np.min([part(points) for part in parts], axis=0)

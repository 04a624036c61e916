"""Signed distances (mm, negative inside) of simple solids, and their soft unions.

All take coordinate arrays of one shape, float32, and return an array of that shape. Distances of ellipsoids are
first-order approximations, exact at the surface.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "arch_distance",
    "box",
    "capsule",
    "cover",
    "ellipsoid",
    "smooth_max",
    "smooth_min",
    "smooth_step",
    "tube",
]

Array = NDArray[np.floating[Any]]
Point = Sequence[float]


def cover(distance_mm: Array, width_mm: float) -> Array:
    """Share of a voxel inside a flat surface at this signed distance: 1 inside, 0 outside, linear over the voxel."""
    result = 0.5 - distance_mm * np.float32(1 / width_mm)
    return np.clip(result, 0.0, 1.0, out=result)


def smooth_min(a: Array, b: Array, radius: float) -> Array:
    """Union with a fillet of about `radius`: min(a, b) where they differ by more (polynomial smooth minimum)."""
    h = np.maximum(np.float32(radius) - np.abs(a - b), 0.0)
    return np.asarray(np.minimum(a, b) - h * h * np.float32(0.25 / radius))


def smooth_max(a: Array, b: Array, radius: float) -> Array:
    """Intersection with a fillet of about `radius`."""
    return -smooth_min(-a, -b, radius)


def smooth_step(x: Array, low: float, high: float) -> Array:
    """0 below `low`, 1 above `high`, a smooth cubic between; `low` above `high` falls instead of rising."""
    t = np.clip((x - np.float32(low)) * np.float32(1 / (high - low)), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t))


def ellipsoid(x: Array, y: Array, z: Array, centre: Point, radii: Point) -> Array:
    """Ellipsoid with axes along x, y, z."""
    px, py, pz = ((c - np.float32(m)) * np.float32(1 / r) for c, m, r in zip((x, y, z), centre, radii, strict=True))
    k0 = np.sqrt(px * px + py * py + pz * pz)
    qx, qy, qz = (p * np.float32(1 / r) for p, r in zip((px, py, pz), radii, strict=True))
    k1 = np.sqrt(qx * qx + qy * qy + qz * qz)
    return np.asarray(k0 * (k0 - 1) / np.maximum(k1, np.float32(0.3 / max(radii))))


def capsule(x: Array, y: Array, z: Array, start: Point, end: Point, start_radius: float, end_radius: float) -> Array:
    """A rod with round ends whose radius changes linearly from start to end."""
    dx, dy, dz = (np.float32(e - s) for s, e in zip(start, end, strict=True))
    px, py, pz = (c - np.float32(s) for c, s in zip((x, y, z), start, strict=True))
    length2 = max(float(dx * dx + dy * dy + dz * dz), 1e-6)
    t = np.clip((px * dx + py * dy + pz * dz) * np.float32(1 / length2), 0.0, 1.0)
    px, py, pz = px - t * dx, py - t * dy, pz - t * dz
    return np.asarray(np.sqrt(px * px + py * py + pz * pz) - (start_radius + (end_radius - start_radius) * t))


def tube(x: Array, y: Array, z: Array, points: Sequence[Point], radii: Sequence[float], blend: float = 2.0) -> Array:
    """A chain of capsules through points, softly joined."""
    result = capsule(x, y, z, points[0], points[1], radii[0], radii[1])
    for i in range(1, len(points) - 1):
        result = smooth_min(result, capsule(x, y, z, points[i], points[i + 1], radii[i], radii[i + 1]), blend)
    return result


def box(x: Array, y: Array, z: Array, centre: Point, half: Point, rounding: float = 0.0) -> Array:
    """A box with its edges along the axes; `half` includes the rounding."""
    qx, qy, qz = (
        np.abs(c - np.float32(m)) - np.float32(h - rounding) for c, m, h in zip((x, y, z), centre, half, strict=True)
    )
    outside = np.sqrt(np.maximum(qx, 0) ** 2 + np.maximum(qy, 0) ** 2 + np.maximum(qz, 0) ** 2)
    inside = np.minimum(np.maximum(np.maximum(qx, qy), qz), 0)
    return np.asarray(outside + inside - np.float32(rounding))


def arch_distance(ax: Array, y: Array, front: float, half_width: float, depth: float) -> Array:
    """Distance in the axial plane to a dental arch, positive outside the arch and negative on the tongue's side.

    The arch is the half ellipse y = front - depth + depth * sqrt(1 - (x / half_width)^2), prolonged straight back.
    """
    behind = np.float32(front - depth)
    v = np.maximum(y - behind, 0.0) * np.float32(1 / depth)
    u = ax * np.float32(1 / half_width)
    k0 = np.sqrt(u * u + v * v)
    k1 = np.sqrt((u / half_width) ** 2 + (v / depth) ** 2)
    return np.asarray(k0 * (k0 - 1) / np.maximum(k1, np.float32(1e-3)))

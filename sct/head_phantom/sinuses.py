"""Nasal cavity, septum, turbinates and paranasal sinuses."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.head_phantom.canvas import Canvas
from sct.head_phantom.head import Head
from sct.head_phantom.shapes import capsule, ellipsoid, smooth_max, smooth_min
from sct.head_phantom.tissue import Tissue

__all__ = ["Filling", "nasal_distance", "paint_nose", "paint_sinuses", "sinus_distance"]

Array = NDArray[np.floating[Any]]
Filling = dict[str, float]
"""What is in the sinuses, by sinus and side, 0 where a key is missing.

"maxillary right" is the height of the fluid as a share of the sinus's depth (1 and more: full), "maxillary swollen
right" the mm by which the lining is thicker.
"""


def nasal_distance(canvas: Canvas) -> Array:
    """Signed distance to the inside of the bony and cartilaginous nose, both sides together."""
    ax, y, z = canvas.ax, canvas.y, canvas.z
    half = 14.5 - np.clip((z + 16) * np.float32(11.5 / 34), 0, 11.5)
    roof = np.minimum(19 - 0.35 * np.maximum(y - 78, 0), 13 + (y - 40) * np.float32(0.35))
    d = smooth_max(ax - half, z - roof, 4)
    d = smooth_max(d, smooth_max(-z - 23, np.maximum(y - 90 + 0.28 * np.maximum(z + 14, 0), 44 - y), 4), 4)
    vestibule = capsule(ax, y, z, (6.5, 90, -14), (6.5, 105, -20), 5.5, 4)
    nostril = capsule(ax, y, z, (6.5, 104, -19), (7, 107, -30), 4, 3.6)
    return smooth_min(smooth_min(d, vestibule, 3), nostril, 2)


def paint_nose(canvas: Canvas, head: Head, nasal: Array) -> None:
    """Septum, turbinates, lining and air of the nasal cavity."""
    if not canvas.touches((0, 40, -36), (18, 114, 26)):
        return
    x, y, z = canvas.x, canvas.y, canvas.z
    bow = head.septum * np.sin((y - 46) * np.float32(np.pi / 46)) * np.exp(-(((z + 4) / 14) ** 2))
    middle = np.abs(x - bow)
    inside = nasal
    bony = smooth_max(y - 86 + np.maximum(z + 10, 0) * np.float32(0.6), -z - 24, 2)
    canvas.paint_share(Tissue.CORTICAL, _slab(canvas, middle, 0.35) * (inside < 2) * (bony < 0))
    canvas.paint_share(Tissue.CARTILAGE, _slab(canvas, middle, 1.0) * (inside < 2) * (bony >= 0) * (y < 108))
    turbinate_bone, turbinate = _turbinates(canvas, head)
    canvas.paint(Tissue.CORTICAL, np.maximum(turbinate_bone, inside - 1))
    lining = np.maximum(np.minimum(np.minimum(turbinate, middle - 1.9), -(inside + 1.0)), inside)
    canvas.paint(Tissue.MUCOSA, lining)
    canvas.paint(Tissue.AIR, inside)


def _slab(canvas: Canvas, distance: Array, half: float) -> Array:
    """Share of a voxel within `half` of the middle plane of a thin wall."""
    w = canvas.width
    a, b = distance - np.float32(half), distance + np.float32(half)
    return np.asarray(np.clip(0.5 - a / w, 0, 1) - np.clip(0.5 - b / w, 0, 1))


def _turbinates(canvas: Canvas, head: Head) -> tuple[Array, Array]:
    """Distances to the bone and to the lining of the inferior and middle turbinates."""
    ax, y, z = canvas.ax, canvas.y, canvas.z
    swell = canvas.by_side(head.turbinates)
    lower = ellipsoid(ax - 0.25 * (z + 14), y, z, (8.5, 70, -13.5), (4.0, 21, 6.8)) - (swell - 1) * np.float32(2.2)
    upper = ellipsoid(ax - 0.12 * (z - 1), y, z, (5.5, 64, 1), (2.4, 16, 7.0)) - (swell - 1) * np.float32(1.3)
    lower_bone = np.maximum(np.abs(ax - 0.5 * (z + 14) - 9.0 - 0.06 * (z + 14) ** 2) - 0.45, lower + 1.2)
    upper_bone = np.maximum(np.abs(ax - 0.12 * (z - 1) - 5.5) - 0.4, upper + 0.9)
    return np.minimum(lower_bone, upper_bone), np.minimum(lower, upper)


def sinus_distance(canvas: Canvas, head: Head) -> dict[str, Array]:
    """Signed distance to the inner bone surface of each air space that this block touches."""
    ax, y, z = canvas.ax, canvas.y, canvas.z
    result: dict[str, Array] = {}
    if canvas.touches((6, 30, -40), (54, 84, 8)):
        size = canvas.by_side(head.maxillary)
        # A pyramid with its base at the nose; in infants small, high and near the nose.
        flat = ellipsoid(ax, y, z, (30, 57, -13), (15.5, 19, 19))
        flat = smooth_max(flat, z - np.float32(0.5) + 0.12 * (ax - 30), 5)
        flat = smooth_max(flat, ax + 0.45 * y - 72, 5)
        flat = smooth_max(flat, 15.5 - ax, 4)
        result["maxillary"] = flat + (1 - np.minimum(size, np.float32(1.1))) * np.float32(13)
    if canvas.touches((0, 38, 2), (14, 84, 28)):
        half = np.float32(11) + 0.02 * (y - 60)
        block = smooth_max(np.abs(ax - 2 - half / 2) - half / 2, np.abs(y - 60) - 20, 4)
        block = smooth_max(block, np.abs(z - 13) - 10, 4)
        wobble = 1.6 * canvas.noise["wobble"]
        u, v = (y + wobble) * np.float32(1 / 8.5), (z + 1.3 * wobble) * np.float32(1 / 7.5)
        walls = np.minimum(np.abs(u - np.rint(u)) * np.float32(8.5), np.abs(v - np.rint(v)) * np.float32(7.5))
        small = (1 - min(1.0, 0.45 + head.age / 18)) * 4
        result["ethmoid"] = smooth_max(block + small, 0.45 - walls, 1.2)
    if head.sphenoid > 0.02 and canvas.touches((0, 10, -8), (22, 46, 26)):
        shrink = (1 - head.sphenoid) * 9
        sides = (
            ellipsoid(canvas.x, y, z, (9, 29, 8), (8.5, 12, 9.5)),
            ellipsoid(canvas.x, y, z, (-8, 30, 8), (8, 11, 9)),
        )
        result["sphenoid"] = np.minimum(*sides) + np.float32(shrink)
    if max(head.frontal) > 0.02 and canvas.touches((0, 68, 18), (36, 92, 62)):
        size = canvas.by_side(head.frontal)
        bumps = 2.5 * canvas.noise["wobble"]
        shape = ellipsoid(ax, y + 0.25 * (z - 34), z, (12, 80.5, 33), (11, 4.6, 13)) + bumps * np.float32(0.4)
        result["frontal"] = smooth_max(shape + (1 - np.minimum(size, np.float32(1.1))) * np.float32(6), 0.8 - ax, 1)
    return result


def paint_sinuses(canvas: Canvas, head: Head, distances: dict[str, Array], filling: Filling) -> None:
    """Air, fluid, lining and thin bony walls of the paranasal sinuses.

    Fluid lies behind a level (patients lie on their back); a swollen lining is thicker all round.
    """
    for name, distance in distances.items():
        lining = np.float32(0.35 * head.mucosa if name == "ethmoid" else head.mucosa)
        wall = np.float32(0.5 if name == "ethmoid" else 0.9)
        fill = canvas.by_side((filling.get(f"{name} right", 0.0), filling.get(f"{name} left", 0.0)))
        swollen = canvas.by_side((filling.get(f"{name} swollen right", 0.0), filling.get(f"{name} swollen left", 0.0)))
        inner = distance + lining + swollen * (1 + 0.6 * canvas.noise["wobble"])
        back, depth = _EXTENT[name]
        level = canvas.y - (back + depth * fill)
        fluid = np.where(np.asarray(fill) > 0, np.maximum(inner, level), np.float32(99))
        canvas.paint(Tissue.FLUID, fluid)
        canvas.paint_layers([(Tissue.AIR, inner), (Tissue.MUCOSA, distance), (Tissue.CORTICAL, distance - wall)])


# Hindmost place and depth of each sinus, for the level of fluid.
_EXTENT = {"maxillary": (38.0, 38.0), "ethmoid": (40.0, 40.0), "sphenoid": (17.0, 24.0), "frontal": (75.0, 11.0)}

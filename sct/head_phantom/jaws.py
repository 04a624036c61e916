"""Mandible and teeth."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.head_phantom.canvas import Canvas
from sct.head_phantom.head import Head
from sct.head_phantom.shapes import arch_distance, box, capsule, ellipsoid, smooth_max, smooth_min, tube
from sct.head_phantom.tissue import Tissue

__all__ = ["mandible_distance", "paint_mandible", "paint_teeth", "tooth_places"]

Array = NDArray[np.floating[Any]]

# Centre of the arches (front, half width, depth) and heights of the neck of the teeth.
_UPPER = (86.0, 28.5, 46.0)
_LOWER = (83.5, 27.0, 45.0)
_UPPER_NECK, _LOWER_NECK = -42.0, -60.0

# Half width along the arch, crown height, root length of each tooth from the middle to the back (mm).
_PERMANENT = ((4.1, 9.5, 13), (3.3, 9, 13), (3.8, 9.5, 16), (3.5, 8, 14), (3.5, 8, 14), (5, 7, 13), (4.8, 7, 12))
_WISDOM = (4.4, 6.5, 11)
_PRIMARY = ((3.2, 6, 10), (2.6, 6, 10), (3.4, 6.5, 11), (3.7, 5.5, 9), (4.6, 5.5, 9))


def _dropped(canvas: Canvas, head: Head) -> tuple[Array, Array]:
    """Coordinates y and z in the lower jaw's own place: it turns about its joints when the mouth opens."""
    angle = np.float32(head.jaw_open / 75.0)
    y, z = canvas.y, canvas.z
    return np.asarray(y - angle * (z + 4)), np.asarray(z + angle * (y - 10))


def mandible_distance(canvas: Canvas, head: Head) -> Array | None:
    """Signed distance to the outside of the mandible; None where the block has none."""
    if not canvas.touches((0, -16, -126), (80, 114, 22)):
        return None
    ax = canvas.ax
    y, z = _dropped(canvas, head)
    border = tube(
        ax, y, z, [(0, 81, -91), (14, 80, -90), (32, 62, -84), (43, 38, -75), (46, 20, -64)], [6.5, 6, 5, 5, 5]
    )
    line = arch_distance(ax, y, 82, 29.5, 46)
    alveolar = smooth_max(np.abs(line) - 5.4, np.abs(z + 72) - 15, 3)
    alveolar = smooth_max(alveolar, 30 - y, 4)
    d = smooth_min(border, alveolar, 5)
    side = ax - 46.5 - (z + 40) * np.float32(0.05)
    ramus = box(side, y - (z + 40) * np.float32(-0.12), z, (0, 23, -40), (3.2, 15, 30), 3)
    notch = ellipsoid(side, y, z, (0, 22, -6), (20, 8.5, 13))
    ramus = smooth_max(ramus, -notch, 3)
    d = smooth_min(d, ramus, 5)
    d = smooth_min(d, capsule(ax, y, z, (47, 12, -22), (49.5, 9, -7), 4.2, 3.6), 4)
    d = smooth_min(d, ellipsoid(ax, y, z, (50, 9, -5), (9, 4.5, 4)), 3)
    d = smooth_min(d, capsule(ax, y, z, (47, 34, -24), (47, 35, -9), 3.4, 1.8), 4)
    chin = ellipsoid(ax, y, z, (0, 87, -93), (13, 5, 7))
    return smooth_min(d, chin, 5)


def paint_mandible(canvas: Canvas, head: Head, mandible: Array | None) -> None:
    """Thick cortical bone around marrow, with the canal of the nerve; the symphysis is open in infants."""
    if mandible is None:
        return
    y, z = _dropped(canvas, head)
    if head.age < 0.8:
        canvas.paint(Tissue.FIBROUS, np.maximum(canvas.ax - 0.8, mandible))
    canal = tube(canvas.ax, y, z, [(45, 22, -38), (41, 36, -66), (30, 62, -80), (22, 72, -79)], [1.3] * 4)
    canvas.paint(Tissue.BLOOD, canal)
    cortex = np.float32((1.2 + 1.2 * min(head.age / 14, 1)) / head.scale) * (1 + 0.15 * canvas.noise["thickness"])
    canvas.paint_layers([(Tissue.TRABECULAR, mandible + cortex), (Tissue.CORTICAL, mandible)])


def tooth_places(head: Head, upper: bool) -> list[tuple[float, float, float, float, float, bool, bool]]:
    """(x, y, half width, crown, root, erupted, front tooth) of each tooth of the right half of an arch."""
    front, half_width, depth = _UPPER if upper else _LOWER
    if head.dentition in ("toothless", "primary"):
        sizes = list(_PRIMARY)
    else:
        sizes = list(_PERMANENT) + ([_WISDOM] if head.age > 17 and round(head.scale * 1e4) % 3 else [])
    result = []
    # Walk along the half ellipse in small steps and set each tooth where its half widths fit.
    t = np.linspace(0.0, np.pi / 2, 400)
    x, y = half_width * np.sin(t), front - depth + depth * np.cos(t)
    length = np.concatenate([[0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    place = 0.2
    for number, (half, crown, root) in enumerate(sizes):
        place += half
        if place > length[-1]:
            px, py = half_width, front - depth - (place - length[-1])
        else:
            px, py = float(np.interp(place, length, x)), float(np.interp(place, length, y))
        place += half + 0.15
        erupted = head.dentition != "toothless" and not (head.dentition == "mixed" and number in (6,))
        if head.dentition == "primary" and head.age < 1.2 + 0.35 * number:
            erupted = number < 2 and head.age > 0.7
        result.append((float(px), float(py), half, float(crown), float(root), erupted, number < 3))
    return result


def paint_teeth(canvas: Canvas, head: Head, fillings: frozenset[tuple[bool, int, int]]) -> None:
    """Enamel, dentin and pulp of every tooth; buds of teeth to come; fillings of metal.

    Args:
        canvas: The block.
        head: Decides which teeth there are.
        fillings: Filled teeth as (upper, side 1 or -1, number from the middle).
    """
    for upper in (True, False):
        if not canvas.touches((0, 20, -66 if upper else -112), (40, 98, -16 if upper else -38)):
            continue
        y, z = (canvas.y, canvas.z) if upper else _dropped(canvas, head)
        sign = 1.0 if upper else -1.0
        neck = _UPPER_NECK if upper else _LOWER_NECK
        for number, (px, py, half, crown, root, erupted, is_front) in enumerate(tooth_places(head, upper)):
            low = (px - 8, py - 10, neck - 32)
            high = (px + 8, py + 10, neck + 32)
            if not canvas.touches(low, high):
                continue
            ax, height = canvas.ax, (z - np.float32(neck)) * np.float32(sign)  # positive towards the root
            sunk = 0.0 if erupted else crown + 5.0
            short = root if erupted else 2.0
            deep = 3.4 if is_front else half * 0.98
            scaled = (ax - np.float32(px)) * np.float32(1 / half), (y - np.float32(py)) * np.float32(1 / deep)
            mean = 0.5 * (half + deep)
            bulge = ellipsoid(
                scaled[0] * mean, scaled[1] * mean, height - sunk, (0, 0, -0.45 * crown), (mean, mean, 0.62 * crown)
            )
            flat = smooth_max(bulge, -(height - sunk) - 0.92 * crown, 1.0)
            stem = capsule(
                scaled[0] * mean, scaled[1] * mean, height - sunk, (0, 0, -0.2 * crown), (0, 0, short), 0.75 * mean, 1.0
            )
            tooth = smooth_min(flat, stem, 1.0)
            pulp = capsule(
                scaled[0] * mean, scaled[1] * mean, height - sunk, (0, 0, -0.4 * crown), (0, 0, short), 0.22 * mean, 0.3
            )
            for side in (1, -1):
                if (upper, side, number) in fillings and erupted:
                    plug = np.maximum(flat + 0.6, (height - sunk) + 0.45 * crown)
                    canvas.paint(Tissue.METAL, np.where(canvas.x * side > 0, plug, np.float32(99)))
            enamel = np.maximum(flat, height - sunk - 0.5)
            canvas.paint(Tissue.PULP, pulp)
            canvas.paint(Tissue.DENTIN, np.maximum(tooth, -(enamel + 1.1)))
            canvas.paint(Tissue.ENAMEL, enamel)
            canvas.paint(Tissue.DENTIN, tooth)
            canvas.paint(Tissue.FIBROUS, tooth - 0.3)

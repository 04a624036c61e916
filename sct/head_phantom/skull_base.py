"""The skull base: sphenoid, clivus, condyles, petrous and mastoid bone with ear, canals and air cells."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.head_phantom.canvas import Canvas
from sct.head_phantom.head import Head
from sct.head_phantom.shapes import box, capsule, ellipsoid, smooth_max, smooth_min, tube
from sct.head_phantom.tissue import Tissue

__all__ = ["base_distance", "paint_ear", "paint_petrous"]

Array = NDArray[np.floating[Any]]
_EAR_INWARD = np.float32(5.0)  # the places below are of a wide head; on average the ear lies this much further in


def base_distance(canvas: Canvas, head: Head) -> Array | None:
    """Signed distance to the solid parts of the skull base; None where the block has none."""
    if not canvas.touches((0, -50, -62), (90, 66, 45)):
        return None
    x, ax, y, z = canvas.x, canvas.ax, canvas.y, canvas.z
    grown = min(1.0, 0.15 + head.age / 6)
    # Sphenoid body and clivus: from the sella down to the front of the foramen magnum.
    result = box(x, y, z, (0, 30, 8), (14, 16, 12), 8)
    result = smooth_min(result, capsule(x * np.float32(0.65), y, z, (0, 14, 8), (0, 2, -14), 9, 5), 6)
    # Occipital condyles and the rim of the foramen magnum.
    result = smooth_min(result, ellipsoid(ax, y, z, (19, -8, -20), (7, 12, 6)), 4)
    # Greater wings: from the sphenoid body to the temple, behind the orbits.
    result = smooth_min(result, capsule(ax, y, z, (14, 36, 4), (50, 42, 18), 4, 3), 5)
    # Petrous pyramid and mastoid process (grows with age).
    result = smooth_min(result, capsule(ax, y, z, (52, -14, 1), (13, 16, 4), 11, 5.5), 5)
    tip = -8 - 22 * grown
    mastoid = capsule(ax, y, z, (53, -17, 0), (50, -13, tip), 11, 5)
    result = smooth_min(result, mastoid, 6)
    # Root of the zygomatic arch with the socket of the jaw's joint.
    result = smooth_min(result, capsule(ax, y, z, (52, 16, 4), (64, 12, 3), 5, 3.5), 4)
    if head.age > 4:
        length = min(1.0, head.age / 16)
        styloid = capsule(ax, y, z, (43, -4, -12), (43 - 7 * length, -4 + 14 * length, -12 - 26 * length), 2.2, 1.0)
        result = smooth_min(result, styloid, 2)
    # The pterygoid plates, thin, under the sphenoid body.
    plates = np.minimum(
        box(ax - (z + 15) * np.float32(0.1), y, z, (12, 36, -14), (0.9, 8, 13), 0.5),
        box(ax + (z + 15) * np.float32(0.25), y, z, (18, 34, -13), (0.9, 8, 12), 0.5),
    )
    return smooth_min(result, plates, 2)


def paint_petrous(canvas: Canvas) -> None:
    """The dense bone around the inner ear."""
    if not canvas.touches((15, -25, -10), (65, 22, 20)):
        return
    ax, y, z = canvas.ax + _EAR_INWARD, canvas.y, canvas.z
    core = smooth_min(
        ellipsoid(ax, y, z, (41, -3, 4), (12, 10, 9)), capsule(ax, y, z, (44, -4, 4), (24, 10, 6), 7, 4), 4
    )
    canvas.paint(Tissue.DENSE, core)


def paint_ear(canvas: Canvas, head: Head) -> None:
    """Inner ear, ear canal, tympanic cavity, mastoid air cells, and the canals for vessels and nerves."""
    x, ax, y, z = canvas.x, canvas.ax + _EAR_INWARD, canvas.y, canvas.z
    if canvas.touches((8, -32, -32), (82, 26, 24)):
        canvas.paint(Tissue.AIR, capsule(ax, y, z, (51, 1, 0), (80, -2, -2), 2.6, 3.2))
        tympanic = smooth_min(
            ellipsoid(ax, y, z, (48.5, 2, 2), (2.6, 5.5, 6.5)), ellipsoid(ax, y, z, (51, -7, 8), (4.5, 6, 4.5)), 3
        )
        canvas.paint_layers([(Tissue.AIR, tympanic), (Tissue.MUCOSA, tympanic - 0.4)])
        ossicle = capsule(ax, y, z, (48.5, 1, 6), (48.5, 3, 1), 1.0, 0.5)
        canvas.paint(Tissue.CORTICAL, ossicle)
        _paint_mastoid_cells(canvas, head)
        cochlea = np.abs(ellipsoid(ax, y, z, (39, 4, 2), (3.4, 3.4, 3.0))) - 0.8
        inner = np.minimum(cochlea, ellipsoid(ax, y, z, (42, -3, 4), (2.4, 3, 2.4)))
        for centre, axis in (((44.0, -7.0, 7.0), 0), ((43.0, -8.0, 4.0), 2), ((41.0, -6.0, 8.5), 1)):
            d = [c - np.float32(m) for c, m in zip((ax, y, z), centre, strict=True)]
            across = d.pop(axis)
            ring = np.sqrt((np.sqrt(d[0] ** 2 + d[1] ** 2) - 3.2) ** 2 + across**2) - 0.7
            inner = np.minimum(inner, ring)
        canvas.paint(Tissue.CSF, inner)
        canvas.paint(Tissue.CSF, capsule(ax, y, z, (38, -3, 5), (25, -9, 7), 1.8, 3.2))
    ax = canvas.ax
    if canvas.touches((8, -30, -45), (40, 40, 30)):
        carotid = tube(
            ax, y, z, [(29, 1, -40), (30, 3, -8), (29, 6, 1), (15, 18, 5), (11, 17, 14), (10, 24, 20)], [2.6] * 6
        )
        canvas.paint(Tissue.BLOOD, carotid)
        canvas.paint(Tissue.BLOOD, capsule(ax, y, z, (30, -10, -30), (31, -13, -4), 4.2, 4.5))
        canvas.paint(Tissue.FAT, capsule(ax, y, z, (23, 17, -14), (20, 19, 6), 2.6, 2.2))  # foramen ovale
        canvas.paint(Tissue.MUSCLE, capsule(ax, y, z, (15, -10, -18), (22, -2, -16), 2.0, 2.0))  # hypoglossal canal
    if canvas.touches((0, 8, 10), (12, 26, 30)):
        canvas.paint(Tissue.GLAND, ellipsoid(x, y, z, (0, 17, 20), (7, 5.5, 4.5)))


def _paint_mastoid_cells(canvas: Canvas, head: Head) -> None:
    """Air cells with thin walls; how far they reach differs between people and sides."""
    if max(head.mastoid) <= 0:
        return
    ax, y, z = canvas.ax + _EAR_INWARD, canvas.y, canvas.z
    size = canvas.by_side(head.mastoid)
    grown = min(1.0, 0.15 + head.age / 6)
    region = ellipsoid(ax, y, z, (56, -15, 2 - 10 * grown), (9, 13, 6 + 13 * grown))
    region = smooth_min(region, ellipsoid(ax, y, z, (54, -8, 9), (8, 12, 6)), 4)
    region = region + (1 - np.minimum(size, np.float32(1))) * 9 + 2.2 * canvas.noise["wobble"]
    walls = np.abs(canvas.noise["cells"]) - np.float32(0.55)  # mm from the nearest wall's surface
    cells = smooth_max(region, -walls, 0.6)
    canvas.paint_layers([(Tissue.AIR, cells), (Tissue.MUCOSA, cells - 0.25)])

"""Orbits and the bones of the face: zygoma, maxilla, palate, nasal bones."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.head_phantom.canvas import Canvas
from sct.head_phantom.head import Head
from sct.head_phantom.shapes import (
    arch_distance,
    box,
    capsule,
    ellipsoid,
    smooth_max,
    smooth_min,
    tube,
)
from sct.head_phantom.tissue import Tissue

__all__ = ["face_bone_distance", "orbit_distance", "paint_orbit_walls", "paint_orbits"]

Array = NDArray[np.floating[Any]]
_GLOBE = (32.0, 67.5, 17.0)


def orbit_distance(canvas: Canvas) -> Array | None:
    """Signed distance to the inside of the bony orbits; None where the block has none."""
    if not canvas.touches((8, 26, -8), (58, 92, 42)):
        return None
    ax, y, z = canvas.ax, canvas.y, canvas.z
    cone = capsule(ax, y, z, (33, 64, 16.5), (15, 32, 16), 17.5, 3.5)
    rim = ellipsoid(ax, y, z, (33, 72, 16.5), (20, 16, 17))
    medial = 12.5 - ax
    return smooth_max(smooth_min(cone, rim, 5), medial, 4)


def paint_orbits(canvas: Canvas, head: Head, orbit: Array | None) -> None:
    """Globe, lens, eye muscles, optic nerve and fat."""
    if orbit is None:
        return
    ax, y, z = canvas.ax, canvas.y, canvas.z
    # Eyes are nearly grown at birth (17 of 24 mm), heads are not.
    radius = 12.0 * (0.71 + 0.29 * (1 - float(np.exp(-head.age / 1.5)))) * 0.98 / head.scale
    radius = min(radius, 13.4)
    centre = (_GLOBE[0], _GLOBE[1] + 0.5 * (radius - 12), _GLOBE[2])
    canvas.paint(Tissue.LENS, ellipsoid(ax, y, z, (centre[0], centre[1] + 7.4, centre[2]), (4.4, 2.0, 4.4)))
    globe = ellipsoid(ax, y, z, centre, (radius, radius, radius))
    cornea = ellipsoid(ax, y, z, (centre[0], centre[1] + 5.5, centre[2]), (7.2, 7.4, 7.2))
    globe = smooth_min(globe, cornea, 1.5)
    canvas.paint_layers([(Tissue.VITREOUS, globe + 1.1), (Tissue.FIBROUS, globe)])
    canvas.paint(
        Tissue.WHITE, tube(ax, y, z, [(30.5, 57, 17), (24, 45, 15.5), (13, 31, 17), (5, 22, 22)], [1.7, 1.6, 1.6, 1.8])
    )
    canvas.paint(Tissue.CSF, tube(ax, y, z, [(30.5, 56, 17), (24, 45, 15.5), (14, 33, 17)], [2.6, 2.3, 2.1]))
    apex = (16.0, 34.0, 16.5)
    for dx, dz in ((11.5, 0.0), (-11.0, 0.0), (0.0, 11.5), (0.0, -11.5)):
        middle = (25 + 0.9 * dx, 52.0, 16.5 + 0.8 * dz)
        end = (centre[0] + 0.95 * dx, centre[1] + 3, centre[2] + 0.95 * dz)
        canvas.paint(Tissue.MUSCLE, tube(ax, y, z, [apex, middle, end], [1.3, 2.3, 1.0]))
    canvas.paint(Tissue.GLAND, ellipsoid(ax, y, z, (46, 70, 25), (3.5, 7, 6)))
    canvas.paint(Tissue.FAT, smooth_max(orbit, y - 79, 4))


def paint_orbit_walls(canvas: Canvas, orbit: Array | None) -> None:
    """The thin walls: paper-thin to the nose, thicker outside."""
    if orbit is None:
        return
    ax, y = canvas.ax, canvas.y
    wall = 0.8 + np.clip((ax - 22) * np.float32(1 / 12), 0, 1.2)
    front = y - np.float32(84) + np.float32(0.45) * (ax - 20)  # the rim lies further back at the side
    canvas.paint(Tissue.CORTICAL, smooth_max(orbit - wall, front, 1))


def face_bone_distance(canvas: Canvas, head: Head, orbit: Array | None) -> Array | None:
    """Signed distance to the outside of the solid bones of the face; None where the block has none."""
    if not canvas.touches((0, -8, -64), (90, 122, 60)):
        return None
    ax, y, z = canvas.ax, canvas.y, canvas.z
    # Margins of the orbit, the body of the zygoma, and its arch.
    d = tube(ax, y, z, [(9, 84, 24), (22, 85, 33), (38, 80, 34.5), (51, 67, 27), (53, 62, 14)], [4, 3.8, 3.6, 3.4, 3.6])
    d = smooth_min(d, tube(ax, y, z, [(53, 62, 14), (50, 66, -1), (36, 77, -3.5), (20, 81, 0)], [3.6, 5, 3.6, 3]), 3)
    d = smooth_min(d, capsule(ax, y, z, (49, 64, -4), (42, 68, -11), 6, 4), 4)
    arch = tube(
        ax * np.float32(1.25),
        y,
        z * np.float32(0.8),
        [(63, 61, -4), (76.5, 46, -4), (81, 28, -2), (79, 12, 1)],
        [3.2, 2.6, 2.6, 2.8],
    )
    d = smooth_min(d, arch, 3)
    # Frontal process of the maxilla, nasal bones.
    d = smooth_min(d, tube(ax, y, z, [(17, 80, -8), (12.5, 85, 6), (7.5, 88, 20)], [3.0, 2.6, 2.6]), 3)
    bridge = 90 + (20 - z) * np.float32(0.72) - ax * np.float32(0.9)
    nasal = smooth_max(np.abs(y - bridge) * np.float32(0.75) - 1.1, smooth_max(np.abs(z - 14) - 11, ax - 8.5, 2), 1)
    d = smooth_min(d, nasal, 2)
    d = smooth_min(d, ellipsoid(ax, y, z, (0, 84, 27), (14, 6, 9)), 4)  # glabella
    # Alveolar process, hard palate, front wall below the nose.
    centre_line = arch_distance(ax, y, 83.5, 27.5, 44)
    alveolar = smooth_max(np.abs(centre_line) - 5.6, np.abs(z + 33) - (9 if head.dentition != "toothless" else 7), 3)
    alveolar = smooth_max(alveolar, 44 - y, 3)
    d = smooth_min(d, alveolar, 3)
    palate = box(ax, y, z, (0, 66, -25), (26, 20, 1.7), 1.5)
    palate = smooth_max(palate, centre_line, 2)
    d = smooth_min(d, palate, 3)
    d = smooth_min(d, capsule(ax, y, z, (0, 84, -25), (0, 91, -24), 2.4, 1), 3)
    d = smooth_min(d, capsule(ax, y, z, (30, 44, -22), (29, 46, -31), 5, 6), 4)  # maxillary tuberosity
    return d if orbit is None else smooth_max(d, -orbit, 0.8)

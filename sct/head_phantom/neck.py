"""Cervical spine, hyoid, airway and mouth, vessels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.head_phantom.canvas import Canvas
from sct.head_phantom.head import Head
from sct.head_phantom.shapes import box, capsule, ellipsoid, smooth_max, smooth_min, tube
from sct.head_phantom.tissue import Tissue

__all__ = ["paint_airway", "paint_spine", "paint_vessels", "spine_levels"]

Array = NDArray[np.floating[Any]]

_CANAL = ((0.0, -20.0, -22.0), (0.0, -23.0, -60.0), (0.0, -24.0, -100.0), (0.0, -30.0, -190.0))


def spine_levels() -> list[float]:
    """Heights of the middles of the vertebral bodies C2 to C7 and T1."""
    return [-50.0, -68.0, -85.0, -102.0, -119.0, -136.0, -154.0]


def paint_spine(canvas: Canvas, head: Head) -> None:
    """Cord and canal, atlas, axis with its dens, lower vertebrae, discs."""
    if not canvas.touches((0, -80, -185), (40, 14, -12)):
        return
    x, ax, y, z = canvas.x, canvas.ax, canvas.y, canvas.z
    canal = tube(x * np.float32(0.85), y, z, _CANAL, [10.5, 9, 8.5, 8.5])
    cord = tube(x * np.float32(0.75), y, z, _CANAL, [5.2, 4.6, 4.4, 4.4])
    canvas.paint_layers([(Tissue.WHITE, cord), (Tissue.CSF, canal + 1.5), (Tissue.FAT, canal)])
    artery = tube(ax, y, z, [(19, -10, -190), (18, -11, -48), (25, -12, -28), (16, -30, -22), (3, -8, -8)], [2.0] * 5)
    canvas.paint(Tissue.BLOOD, artery)
    ossified = min(1.0, 0.45 + head.age / 8)
    cortex = np.float32(0.7 + 0.5 * ossified)
    bones = _atlas(canvas)
    dens = capsule(x, y, z, (0, -4, -46), (0, -2.5, -22), 6.5, 4.4)
    bones = np.minimum(bones, dens)
    discs: Array | None = None
    for number, level in enumerate(spine_levels()):
        if not canvas.touches((0, -80, level - 22), (36, 14, level + 14)):
            continue
        bones = np.minimum(bones, _vertebra(canvas, level, number == 0))
        disc = smooth_max(np.abs(z - (level - 8.8)) - 2.6, ellipsoid(x, y, z, (0, -4, level - 8.8), (9, 8, 40)), 1)
        discs = disc if discs is None else np.minimum(discs, disc)
    bones = np.maximum(bones, -canal)
    shrink = np.float32((1 - ossified) * 3.0)  # the ends of infant vertebrae are still cartilage
    if head.age < 6:
        gaps = np.abs(ax - 6.5) - np.float32(1.2 * (1 - head.age / 6))
        canvas.paint(Tissue.CARTILAGE, np.maximum(np.maximum(gaps, bones), np.abs(y + 12) - 5))
    canvas.paint_layers(
        [(Tissue.TRABECULAR, bones + shrink + cortex), (Tissue.CORTICAL, bones + shrink), (Tissue.CARTILAGE, bones)]
    )
    if discs is not None:
        canvas.paint(Tissue.CARTILAGE, discs)


def _atlas(canvas: Canvas) -> Array:
    x, ax, y, z = canvas.x, canvas.ax, canvas.y, canvas.z
    tilted = z - 0.08 * (y + 18) + 29
    ring = np.sqrt((x * np.float32(1 / 1.05)) ** 2 + (y + 19) ** 2) - 23
    arch = np.sqrt(ring**2 + (tilted * np.float32(0.6)) ** 2) - 3.0
    mass = ellipsoid(ax, y, z, (20, -8, -28), (8, 10, 8))
    wing = capsule(ax, y, z, (22, -12, -28), (37, -14, -28), 4.5, 3.5)
    return smooth_min(smooth_min(arch, mass, 3), wing, 3)


def _vertebra(canvas: Canvas, level: float, axis: bool) -> Array:
    x, ax, y, z = canvas.x, canvas.ax, canvas.y, canvas.z
    waist = 0.012 * (z - np.float32(level)) ** 2
    body = smooth_max(
        np.sqrt((x * np.float32(0.82)) ** 2 + (y + 4) ** 2) - 8.0 - waist, np.abs(z - np.float32(level)) - 6.6, 2.5
    )
    facet = ellipsoid(ax, y, z, (17.5, -18, level), (5.5, 6.5, 9))
    transverse = capsule(ax, y, z, (12, -6, level - 2), (22, -7, level - 3), 3.2, 2.6)
    pedicle = capsule(ax, y, z, (9, -8, level + 1), (17, -17, level + 1), 3.2, 3.5)
    lamina = tube(ax, y, z, [(17, -20, level - 2), (8, -33, level - 5), (0, -37, level - 6)], [3.2, 2.6, 3.2])
    length = 58 if axis else 50 + max(0.0, -80 - level) * 0.25
    spinous = capsule(x, y, z, (0, -36, level - 6), (0, -length, level - 12), 3.2, 2.6 if not axis else 4)
    d = smooth_min(smooth_min(body, pedicle, 3), smooth_min(facet, transverse, 3), 2)
    return smooth_min(d, smooth_min(lamina, spinous, 2), 2)


def paint_airway(canvas: Canvas, head: Head) -> None:
    """Pharynx, gap above the tongue, larynx, trachea; thyroid cartilage and hyoid."""
    if not canvas.touches((0, 8, -195), (32, 100, 4)):
        return
    x, ax, y, z = canvas.x, canvas.ax, canvas.y, canvas.z
    r = head.airway * 0.9
    upper = tube(
        x * np.float32(0.62), y, z, [(0, 40, -12), (0, 30, -12), (0, 21, -28)], [7.5, 7 * min(r, 1.15), 4.2 * r]
    )
    middle = tube(x * np.float32(0.6), y, z, [(0, 21, -28), (0, 18, -52), (0, 19, -82)], [4.2 * r, 4.6 * r, 5.0 * r])
    lower = tube(x, y, z, [(0, 21, -84), (0, 27, -98), (0, 26, -118), (0, 18, -190)], [4.5, 4.0, 7.5, 8.0])
    airway = smooth_min(smooth_min(upper, middle, 4), lower, 4)
    mouth = head.jaw_open * 0.35
    dome = z + 33 + 0.010 * (ax**2) + 0.006 * np.maximum(y - 62, 0) ** 2
    gap = np.maximum(np.abs(dome) - np.float32(0.25 + mouth), np.maximum(ax - 19, np.abs(y - 60) - 24))
    airway = np.minimum(airway, gap)
    canvas.paint_layers([(Tissue.AIR, airway), (Tissue.MUCOSA, airway - 1.6)])
    hyoid = tube(ax, y, z, [(17, 30, -86), (12, 46, -90), (0, 51, -91)], [1.6, 1.8, 3.0])
    if head.age > 0.3:
        canvas.paint_layers([(Tissue.TRABECULAR, hyoid + 1.0), (Tissue.CORTICAL, hyoid)])
    shield = np.abs(tube(ax, y, z, [(16, 24, -100), (9, 42, -104), (0, 49, -106)], [1.5, 1.5, 1.5]))
    thyroid = smooth_max(shield - 1.4, np.abs(z + 107) - 12, 2)
    canvas.paint(Tissue.CARTILAGE, thyroid)
    rings = smooth_max(np.abs(lower - 2.2) - 1.0, z + 118, 2)
    canvas.paint(Tissue.CARTILAGE, rings)


def paint_vessels(canvas: Canvas) -> None:
    """Carotid artery and jugular vein beside the pharynx."""
    if not canvas.touches((10, -22, -195), (45, 30, -14)):
        return
    ax, y, z = canvas.ax, canvas.y, canvas.z
    carotid = tube(ax, y, z, [(29, 1, -30), (27, 8, -70), (26, 12, -95), (24, 8, -190)], [2.6, 2.8, 3.8, 3.4])
    jugular = tube(ax, y, z, [(30, -10, -28), (32, 0, -70), (33, 6, -100), (30, 6, -190)], [4.2, 4.5, 5.5, 6])
    canvas.paint(Tissue.BLOOD, np.minimum(carotid, jugular))


def tongue_distance(canvas: Canvas) -> Array:
    """Signed distance to the tongue and the floor of the mouth."""
    body = ellipsoid(canvas.x, canvas.y, canvas.z, (0, 52, -53), (23, 29, 19))
    floor = box(canvas.x, canvas.y, canvas.z, (0, 55, -72), (20, 24, 8), 6)
    return smooth_min(body, floor, 8)

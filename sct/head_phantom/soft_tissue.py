"""Skin, fat, muscles, glands and ears around the bones."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.head_phantom.canvas import Canvas
from sct.head_phantom.head import Head
from sct.head_phantom.neck import tongue_distance
from sct.head_phantom.shapes import box, capsule, ellipsoid, smooth_max, smooth_min, smooth_step, tube
from sct.head_phantom.tissue import Tissue

__all__ = ["paint_ears", "paint_soft_tissue", "skin_distance"]

Array = NDArray[np.floating[Any]]


def skin_distance(canvas: Canvas, head: Head, skull: Array, bones: Sequence[tuple[Array | None, float]]) -> Array:
    """Signed distance to the skin, ears not included.

    Args:
        canvas: The block.
        head: Soft-tissue parameters.
        skull: Signed distance to the outside of the braincase.
        bones: Signed distance to other bones, and how much soft tissue covers them at least.
    """
    x, ax, y, z = canvas.x, canvas.ax, canvas.y, canvas.z
    d = skull - np.float32(head.scalp)
    if canvas.touches((0, -20, -125), (90, 130, 60)):
        fat = head.cheek_fat
        d = smooth_min(d, ellipsoid(x, y, z, (0, 54, 0), (62, 37, 42)), 12)
        d = smooth_min(d, ellipsoid(ax, y, z, (36, 52, -34), (27 * fat, 35, 36)), 14)
        d = smooth_min(d, ellipsoid(x, y, z, (0, 60, -40), (38, 43, 38)), 10)  # muzzle
        d = smooth_min(d, ellipsoid(x, y, z, (0, 72, -88), (24, 20, 18)), 10)  # chin
        arch = tube(ax, y, z, [(50, 64, -3), (64, 42, -3), (66, 15, 0)], [11, 8, 10])
        d = smooth_min(d, arch, 20)
        jaw = tube(ax, y, z, [(53, 10, -5), (48, 22, -58), (40, 48, -78), (12, 76, -86)], [16, 13 * fat, 12, 14])
        d = smooth_min(d, jaw, 20)
        brow = tube(ax, y, z, [(6, 88, 28), (26, 85, 32), (48, 72, 27)], [6, 6, 7])
        d = smooth_min(d, brow, 6)
        d = smooth_min(d, ellipsoid(ax, y, z, (33, 66, 17), (22, 17, 17)), 6)  # lids
        bridge = tube(x, y, z, [(0, 88, 24), (0, 100, 4), (0, 110, -12)], [5, 6.5, 8])
        nose = smooth_min(bridge, ellipsoid(ax, y, z, (9.5, 101, -18), (7.5, 10, 7.5)), 5)
        d = smooth_min(d, nose, 6)
        drop = np.float32(head.jaw_open * 0.5)
        lips = np.minimum(
            tube(ax, y, z, [(24, 84, -46), (12, 96, -44), (0, 100, -43)], [4, 5, 5]),
            tube(ax, y, z + drop, [(24, 84, -48), (12, 94, -52), (0, 98, -53.5)], [4, 5, 5.5]),
        )
        d = smooth_min(d, lips, 5)
        d = smooth_min(d, ellipsoid(x, y, z, (0, 42, -84), (36, 42, 22)), 14)  # floor of the mouth
        d = smooth_min(d, ellipsoid(x, y, z, (0, 80, -12), (23, 19, 30)), 10)  # base of the nose
    if canvas.touches((0, -110, -260), (90, 90, 10)):
        neck = capsule(x, (y + 8) * np.float32(0.86), z, (0, 0, -10), (0, 0, -260), 49, 53)
        neck = smooth_max(neck, z + 4, 20)
        d = smooth_min(d, neck, 18)
    for bone, covering in bones:
        if bone is not None:
            d = smooth_min(d, bone - np.float32(covering), 12)
    return d


def paint_ears(canvas: Canvas, head: Head) -> None:
    """The auricles: thin curved plates of cartilage under skin."""
    if not canvas.touches((62, -50, -42), (112, 18, 48)):
        return
    ax, y, z = canvas.ax, canvas.y, canvas.z
    c, s = np.float32(np.cos(head.ear_angle)), np.float32(np.sin(head.ear_angle))
    along, out = -(y - 2) * c + (ax - 70) * s, (ax - 70) * c + (y - 2) * s  # backwards along the plate, away from it
    up = z - 2 - 0.15 * along
    bowl = out - 0.010 * (along - 10) ** 2 + 3.5 * np.exp(-(((along - 7) / 6) ** 2) - ((up + 4) / 9) ** 2)
    rim = 1 - ((along - 12) / 17) ** 2 - (up / np.where(up > 0, np.float32(32), np.float32(30))) ** 2
    helix = 1.2 * np.exp(-((rim * 5) ** 2))
    plate = smooth_max(np.abs(bowl - 1) - 2.1 - helix, -rim * 8, 1.5)
    tragus = ellipsoid(ax, y, z, (76, 5, -3), (5, 3.5, 7))
    plate = smooth_min(plate, tragus, 3)
    concha = capsule(ax, y, z, (70, -1, -2), (84, -5, -2), 3.4, 6.5)
    canvas.paint(Tissue.OUTSIDE, concha)
    canvas.paint_layers([(Tissue.CARTILAGE, plate + 1.3), (Tissue.SKIN, plate)])


def paint_soft_tissue(canvas: Canvas, head: Head, skull: Array, skin: Array) -> None:
    """Everything between bone and air, from the depth to the skin."""
    _paint_muscles(canvas, head, skull, skin + np.float32(3.0 + 1.5 * head.cheek_fat))
    ax, y, z = canvas.ax, canvas.y, canvas.z
    if canvas.touches((0, 88, -36), (20, 125, 26)):
        # Nose: more gland, muscle and cartilage than fat.
        canvas.paint(Tissue.GLAND, np.maximum(skin + 1.8, np.maximum(94 - y, np.abs(z + 8) - 26)))
    planes = np.abs(canvas.noise["planes"]) - 0.45  # fat between the bundles
    if canvas.touches((0, -110, -260), (84, 94, 4)):
        core = skin + (4 + 3 * head.cheek_fat * smooth_step(y, 0, 40))
        inner = smooth_max(smooth_max(core, z + 8, 6), y - 66 - 0.3 * (z + 60), 8)
        canvas.paint(Tissue.MUSCLE, np.maximum(inner, -planes))
    face = skin + (3.5 + 3.5 * head.cheek_fat * smooth_step(ax, 12, 30))
    inner = np.maximum(face, -(skull - 2.5))
    blend = canvas.noise["planes"] + 1.0 - smooth_step(ax, 60, 20)
    canvas.paint(Tissue.MUSCLE, np.maximum(smooth_max(inner, 12 - y, 4), blend))
    # The galea: a thin muscular sheet over the skull.
    canvas.paint(Tissue.MUSCLE, np.maximum(skull - 1.2, skin + 2))
    canvas.paint_layers([(Tissue.FAT, skin + np.float32(1.7 / head.scale)), (Tissue.SKIN, skin)])


def _paint_muscles(canvas: Canvas, head: Head, skull: Array, under_fat: Array) -> None:
    x, ax, y, z = canvas.x, canvas.ax, canvas.y, canvas.z
    fibres = 0.35 * canvas.noise["planes"]
    if canvas.touches((35, -62, -80), (84, 80, 76)):
        bed = np.exp(-(((y - 18) / 42) ** 2)) * smooth_step(z, 62, 20) * smooth_step(ax, 38, 52)
        temporalis = np.maximum(skull - 1 - 10 * bed + 3 * smooth_step(bed, 0.3, 0.0), -z - 8)
        canvas.paint(Tissue.MUSCLE, np.maximum(np.maximum(temporalis, 48 - ax), under_fat))
        canvas.paint(Tissue.MUSCLE, capsule(ax, y, z, (56, 26, 6), (47, 34, -14), 7, 5))
        masseter = capsule(ax * np.float32(1.1), y * np.float32(0.8), z, (64, 34, -10), (56, 20, -66), 7, 8)
        canvas.paint(Tissue.MUSCLE, np.maximum(masseter + fibres, under_fat))
    if canvas.touches((5, -14, -80), (74, 74, 10)):
        medial = capsule(ax, y, z, (19, 36, -12), (39, 22, -62), 7, 7)
        lateral = capsule(ax, y, z, (21, 38, -4), (45, 13, -10), 7, 5)
        canvas.paint(Tissue.MUSCLE, np.minimum(medial, lateral) + fibres)
        canvas.paint(Tissue.GLAND, ellipsoid(ax, y, z, (57, 6, -32), (9, 13, 25)) + fibres)
        canvas.paint(Tissue.FAT, ellipsoid(ax, y, z, (43, 54, -24), (9, 14, 16)))
    if canvas.touches((0, 10, -110), (45, 95, -25)):
        tongue = tongue_distance(canvas)
        strands = np.abs(canvas.noise["planes"]) - 0.3
        canvas.paint(Tissue.FAT, np.maximum(tongue + 4, strands))
        canvas.paint(Tissue.MUSCLE, tongue)
        palate = tube(x * np.float32(0.5), y, z, [(0, 47, -26), (0, 36, -28), (0, 29, -40)], [3.5, 4, 3])
        canvas.paint(Tissue.MUSCLE, palate)
        canvas.paint(Tissue.GLAND, ellipsoid(ax, y, z, (29, 36, -84), (9, 13, 10)))
        lips = box(x, y, z, (0, 94, -48), (24, 6, 14), 5)
        canvas.paint(Tissue.MUSCLE, lips + fibres)
    if canvas.touches((0, -100, -260), (74, 64, 12)):
        sides = capsule(ax, y, z, (54, -20, -14), (20, 34, -190), 9, 9)
        back = tube(ax, y, z, [(14, -70, -8), (15, -58, -60), (16, -58, -190)], [10, 13, 13])
        deep = tube(ax, y, z, [(34, -48, -16), (34, -42, -70), (36, -38, -190)], [9, 12, 13])
        front = capsule(ax, y, z, (8, 6, -22), (10, 6, -190), 5, 6)
        for d in (sides, back, deep, front):
            canvas.paint(Tissue.MUSCLE, np.maximum(d + fibres, under_fat))

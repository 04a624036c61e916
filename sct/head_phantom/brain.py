"""Brain: folded cortex, white matter, deep nuclei, ventricles, cerebellum, brain stem, veins."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.head_phantom.canvas import Canvas
from sct.head_phantom.head import Head
from sct.head_phantom.shapes import capsule, ellipsoid, smooth_max, smooth_min, tube
from sct.head_phantom.tissue import Tissue

__all__ = ["paint_brain"]

Array = NDArray[np.floating[Any]]


def paint_brain(canvas: Canvas, head: Head, cavity: Array) -> None:
    """Fill the cavity of the skull.

    Sulci are the zero lines of a band-limited random field, as deep as 18 mm below the brain's surface; grey matter
    follows the surface and the sulci at 2.5 to 3 mm. So the cortex folds in three dimensions.
    """
    x, ax, y, z = canvas.x, canvas.ax, canvas.y, canvas.z
    _paint_vessels(canvas, cavity)
    _paint_ventricles(canvas, head)
    gap = np.float32(head.csf_gap)
    surface = cavity + gap * (1 + 0.35 * canvas.noise["thickness"])
    tentorium = z - 20 + 0.35 * (y + 40) - 0.004 * ax**2 + 1.5 * np.maximum(y + 5, 0)  # above it the cerebrum
    is_low = canvas.touches((0, -105, -45), (66, 24, 56))
    if is_low:
        hind = smooth_max(surface, tentorium + 2.0, 3)
        folia = np.abs(np.sin((z - 0.5 * y + 2.5 * canvas.noise["wobble"]) * np.float32(2 * np.pi / 11.0)))
        stem = tube(x * np.float32(0.85), y, z, [(0, 2, 24), (0, 0, 4), (0, -12, -10), (0, -19, -22)], [11, 13, 8, 7])
        canvas.paint(Tissue.WHITE, np.maximum(stem, cavity + 1))
        cisterns = capsule(x, y, z, (0, 6, 14), (0, -6, -16), 19, 12)
        body = np.maximum(np.maximum(hind, -(cisterns - 1)), -ellipsoid(x, y, z, (0, -16, 3), (9, 7, 10)))
        core = ellipsoid(ax, y, z, (20, -40, 4), (17, 16, 11)) + 4 * canvas.noise["wobble"]
        slits = np.maximum(1.1 - folia * np.float32(5.5), -(body + 7))
        canvas.paint(Tissue.CSF, np.maximum(slits, body - 1))
        canvas.paint(Tissue.WHITE, np.maximum(core, body + 5))
        canvas.paint(Tissue.WHITE, np.maximum(body + 2.5, 1.2 - (1 - folia) * np.float32(3.0)))
        canvas.paint(Tissue.GREY, body)
    fore = smooth_max(surface, -tentorium + 1.0, 2)
    floor = 52 + 0.2 * y - np.where(np.abs(y) > 45, np.float32(30), np.float32(0))
    fissure = np.minimum(1.2 + np.float32(head.sulcus) - ax, z - floor)
    fore = smooth_max(fore, fissure, 1.5)
    cisterns = ellipsoid(x, y, z, (0, 14, 24), (16, 14, 9))
    fore = np.maximum(fore, -cisterns)
    sylvian = np.abs(z - 30 - 0.25 * (y - 10)) - 1.3
    sylvian = np.maximum(np.maximum(sylvian, 36 - ax), np.maximum(y - 40, -28 - y))
    sulci = np.abs(canvas.noise["gyri"])  # mm from the middle of a sulcus
    bottom = np.maximum(-(fore + 17 + 3 * canvas.noise["wobble"]), 0)
    sulci = np.minimum(np.sqrt(sulci * sulci + bottom * bottom), np.maximum(sylvian, 0))
    opening = np.float32(head.sulcus) + np.maximum(0, 0.10 * (fore + 6))
    pial = np.maximum(fore, opening - sulci)
    if canvas.touches((0, -50, 30), (10, 48, 66)):
        callosum = tube(ax, y, z, [(0, 36, 36), (0, 35, 48), (0, 12, 60), (0, -24, 59), (0, -40, 48)], [3.2] * 5)
        canvas.paint(Tissue.WHITE, callosum)
    _paint_nuclei(canvas)
    cortex = 2.4 + 0.25 * canvas.noise["thickness"]
    canvas.paint_layers(
        [
            (Tissue.WHITE, np.maximum(pial + cortex, fore + cortex)),
            (Tissue.GREY, pial),
            (Tissue.CSF, cavity + 0.5),
            (Tissue.FIBROUS, cavity),
        ]
    )


def _paint_ventricles(canvas: Canvas, head: Head) -> None:
    if not canvas.touches((0, -78, -14), (50, 48, 78)):
        return
    x, ax, y, z = canvas.x, canvas.ax, canvas.y, canvas.z
    size = head.ventricles
    body = tube(
        ax, y, z, [(6, 38, 42), (7, 22, 50), (10, -8, 56), (18, -32, 50), (24, -42, 38)], [3.6, 4.8, 4.2, 5.5, 5.0]
    )
    horns = tube(ax, y, z, [(24, -40, 40), (32, -22, 20), (33, 4, 12)], [5.0, 3.6, 2.2])
    rear = tube(ax, y, z, [(24, -42, 40), (22, -68, 34)], [4.8, 1.5])
    lateral = smooth_min(smooth_min(body, horns, 3), rear, 3) + np.float32((1 - size) * 4)
    lateral = smooth_max(lateral, 1.2 - ax, 1)
    third = ellipsoid(x, y, z, (0, 0, 36), (2.2 * size, 14, 9))
    fourth = ellipsoid(x, y, z, (0, -20, 3), (7 * size, 5, 8))
    aqueduct = capsule(x, y, z, (0, -10, 28), (0, -18, 10), 1.0, 1.2)
    d = np.minimum(np.minimum(lateral, third), np.minimum(fourth, aqueduct))
    plexus = ellipsoid(ax, y, z, (24, -38, 38), (3.5, 6, 5)) + 2.0 * canvas.noise["wobble"]
    canvas.paint(Tissue.BLOOD, np.maximum(plexus, lateral + 0.5))
    canvas.paint(Tissue.CSF, d)


def _paint_nuclei(canvas: Canvas) -> None:
    if not canvas.touches((0, -30, 15), (40, 40, 70)):
        return
    ax, y, z = canvas.ax, canvas.y, canvas.z
    thalamus = ellipsoid(ax, y, z, (10, -8, 40), (8, 14, 9))
    putamen = ellipsoid(ax - 0.2 * (y - 8), y, z, (25, 8, 36), (6, 17, 11))
    caudate = tube(ax, y, z, [(12, 26, 40), (14, 18, 52), (17, -8, 58)], [5.5, 4.0, 2.5])
    canvas.paint(Tissue.GREY, np.minimum(np.minimum(thalamus, putamen), caudate))


def _paint_vessels(canvas: Canvas, cavity: Array) -> None:
    """The great venous sinuses under the skull, the falx and the tentorium, and the arteries at the base."""
    x, ax, y, z = canvas.x, canvas.ax, canvas.y, canvas.z
    if canvas.touches((0, -100, 15), (5, 85, 115)):
        sagittal = np.maximum(ax - 3.5 - 0.6 * cavity, -(cavity + 7))
        sagittal = np.maximum(np.maximum(sagittal, cavity), 30 - z)
        canvas.paint(Tissue.BLOOD, sagittal + 0.5)
        falx = np.maximum(ax - 0.5, np.maximum(58 + 0.25 * y - z, cavity))
        canvas.paint(Tissue.FIBROUS, falx)
    if canvas.touches((0, -100, -20), (65, 0, 30)):
        transverse = tube(ax, y, z, [(2, -88, 22), (35, -74, 16), (54, -42, 10), (46, -24, -6)], [4, 3.6, 3.8, 4])
        canvas.paint(Tissue.BLOOD, np.maximum(transverse, cavity))
        straight = capsule(x, y, z, (0, -86, 24), (0, -46, 40), 2.2, 1.8)
        canvas.paint(Tissue.BLOOD, straight)
    if canvas.touches((0, -14, -20), (44, 40, 36)):
        basilar = capsule(x, y, z, (0, 3, -12), (0, 12, 16), 1.7, 1.6)
        middle = tube(ax, y, z, [(9, 22, 22), (24, 20, 22), (38, 16, 27)], [1.9, 1.6, 1.3])
        canvas.paint(Tissue.BLOOD, np.minimum(basilar, middle))

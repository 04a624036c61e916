"""The braincase: the cavity of the brain, the calvaria with its tables and diploe, sutures and fontanelles."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.head_phantom.canvas import Canvas
from sct.head_phantom.head import Head
from sct.head_phantom.shapes import capsule, ellipsoid, smooth_max, smooth_min, smooth_step
from sct.head_phantom.tissue import Tissue

__all__ = ["cavity_distance", "paint_sutures", "thickness_map"]

Array = NDArray[np.floating[Any]]


def cavity_distance(canvas: Canvas) -> Array:
    """Signed distance to the inside of the skull: cerebrum above the three fossae, and the foramen magnum."""
    x, ax, y, z = canvas.x, canvas.ax, canvas.y, canvas.z
    vault = ellipsoid(x, y, z, (0, -6, 45), (66, 84, 65))
    parietal = ellipsoid(ax, y, z, (27, -34, 50), (39, 48, 49))  # parietal eminences
    vault = smooth_min(vault, parietal, 14)
    # Floor of the anterior fossa: lowest at the cribriform plate, raised over the orbits.
    floor = 21 + 13 * np.exp(-(((ax - 31) * np.float32(1 / 17)) ** 2)) * smooth_step(y, 28, 48)
    result = smooth_max(vault, floor - z, 6)
    if canvas.touches((0, -30, -40), (80, 60, 60)):
        result = smooth_min(result, ellipsoid(ax, y, z, (36, 12, 16), (25, 30, 21)), 9)  # middle fossa
    if canvas.touches((0, -110, -60), (80, 20, 60)):
        result = smooth_min(result, ellipsoid(x, y, z, (0, -46, 9), (53, 38, 33)), 12)  # posterior fossa
        ridge = capsule(ax, y, z, (54, -16, 3), (13, 16, 5), 11, 6)
        result = smooth_max(result, -ridge, 4)  # the petrous pyramids part middle and posterior fossa
        stem = capsule(x, y, z, (0, -1, 24), (0, -19, -20), 12, 14)
        result = smooth_min(result, stem, 6)
    if canvas.touches((0, -60, -90), (40, 0, -10)):
        result = smooth_min(result, capsule(x, y, z, (0, -19, -20), (0, -22, -34), 13, 9), 5)
    return result


def thickness_map(canvas: Canvas, head: Head) -> Array:
    """Thickness of the calvaria: thin at the temples, thick at the occiput and above the frontal sinus."""
    ax, y, z = canvas.ax, canvas.y, canvas.z
    temple = np.exp(-(((ax - 66) * np.float32(1 / 22)) ** 2 + ((y - 20) / 34) ** 2 + ((z - 22) / 26) ** 2))
    occiput = np.exp(-((ax * np.float32(1 / 22)) ** 2 + ((y + 92) / 22) ** 2 + ((z - 18) / 22) ** 2))
    brow = np.exp(-((ax * np.float32(1 / 24)) ** 2 + ((y - 82) / 16) ** 2 + ((z - 33) / 14) ** 2))
    grown = min(head.age / 15, 1.0)
    relative = 1 - 0.42 * temple + 0.6 * occiput + 0.55 * grown * brow
    base = smooth_step(z, 12, -8)  # the floor of the fossae is thinner than the vault of an adult
    relative = relative * (1 - 0.3 * grown * base)
    result = np.float32(head.thickness) * relative * (1 + 0.13 * canvas.noise["thickness"])
    return np.asarray(np.maximum(result, 1.1))


def paint_sutures(canvas: Canvas, head: Head, cavity: Array, thickness: Array, fused: str | None) -> None:
    """Fill sutures and fontanelles with fibrous tissue; `fused` names the one that is bone instead.

    The seams wander (serration) by the field "serration".
    """
    if not canvas.touches((0, -115, 0), (90, 95, 130)):
        return
    ax, y, z = canvas.ax, canvas.y, canvas.z
    bone = np.maximum(-cavity, cavity - thickness)
    wander = 1.6 * canvas.noise["serration"] * min(1.0, 0.3 + head.age / 4)
    gaps: list[Array] = []
    half = np.float32(head.suture_gap / 2)
    top = y + 0.30 * z - 50  # positive in front of the coronal suture
    back = z + 0.62 * y + 0.45 * ax - 8  # positive above the lambdoid suture
    if fused != "sagittal":
        gaps.append(np.maximum(np.abs(canvas.x + wander) - half, np.maximum(top, -back)))
    if fused not in ("coronal", "unicoronal"):
        gaps.append(np.maximum(np.abs(top + wander) * np.float32(0.95) - half, 24 - z))
    elif fused == "unicoronal":
        gaps.append(np.maximum(np.maximum(np.abs(top + wander) - half, 24 - z), canvas.x))
    if fused != "lambdoid":
        gaps.append(np.maximum(np.abs(back + wander) * np.float32(0.8) - half, np.maximum(5 - z, y + 20)))
    arc = np.sqrt((y - 8) ** 2 + (z - 8) ** 2) - 40
    gaps.append(np.maximum(np.abs(arc + wander) - half * np.float32(0.7), np.maximum(50 - ax, 12 - z)))
    if head.metopic_gap > 0 and fused != "metopic":
        gaps.append(np.maximum(np.abs(canvas.x + wander) - np.float32(head.metopic_gap / 2), np.maximum(-top, 45 - z)))
    anterior, posterior = head.fontanelle
    if anterior > 0:
        along = np.abs(top + 2) * np.float32(0.8)
        gaps.append((ax + along - anterior) * np.float32(0.7) + np.where(z > 70, 0, np.float32(99)))
    if posterior > 0:
        gaps.append(np.sqrt(ax * ax + back * back) - posterior + np.where(y < -40, 0, np.float32(99)))
    seam = gaps[0]
    for gap in gaps[1:]:
        seam = np.minimum(seam, gap)
    canvas.paint(Tissue.FIBROUS, smooth_max(seam, bone, 0.5))

"""The head as a whole: which structures there are, and in which order they are painted."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.head_phantom.brain import paint_brain
from sct.head_phantom.canvas import Canvas
from sct.head_phantom.cranium import cavity_distance, paint_sutures, thickness_map
from sct.head_phantom.head import Head
from sct.head_phantom.jaws import mandible_distance, paint_mandible, paint_teeth
from sct.head_phantom.midface import face_bone_distance, orbit_distance, paint_orbit_walls, paint_orbits
from sct.head_phantom.neck import paint_airway, paint_spine, paint_vessels
from sct.head_phantom.shapes import smooth_min
from sct.head_phantom.sinuses import nasal_distance, paint_nose, paint_sinuses, sinus_distance
from sct.head_phantom.skull_base import base_distance, paint_ear, paint_petrous
from sct.head_phantom.soft_tissue import paint_ears, paint_soft_tissue, skin_distance
from sct.head_phantom.tissue import Tissue
from sct.head_phantom.variants import Variants, paint_fracture, paint_plate, paint_tumour

__all__ = ["paint_head"]

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class _Surfaces:
    """Signed distances that several structures share; None where the block has no such part."""

    cavity: Array
    thickness: Array
    skull: Array
    base: Array | None
    orbit: Array | None
    face: Array | None
    mandible: Array | None
    skin: Array


def paint_head(canvas: Canvas, head: Head, variants: Variants) -> None:
    """Fill the canvas with the tissues of a head, from the innermost to the outermost."""
    if not _lies_outside(canvas, head):
        surfaces = _surfaces(canvas, head)
        paint_ears(canvas, head)
        if float(surfaces.skin.min()) < 2 * canvas.width:
            _paint_inside(canvas, head, variants, surfaces)
    canvas.paint_share(Tissue.OUTSIDE, canvas.rest.copy())


def _lies_outside(canvas: Canvas, head: Head) -> bool:
    """Whether a block is all air around the head, as told by every fourth voxel; ears are always looked at."""
    if canvas.touches((62, -50, -42), (112, 18, 48)):
        return False
    x, y, z = (c[::4, ::4, ::4] for c in (canvas.x, canvas.y, canvas.z))
    thin = Canvas(x, y, z, 4 * canvas.width, {"thickness": np.zeros_like(x)})
    # The farthest voxel is 3 sqrt(3) voxels from a looked-at one; thickness varies by 1 mm more.
    return bool(_surfaces(thin, head).skin.min() > 8 * canvas.width + 2)


def _surfaces(canvas: Canvas, head: Head) -> _Surfaces:
    cavity = cavity_distance(canvas)
    thickness = thickness_map(canvas, head)
    skull = cavity - thickness
    base = base_distance(canvas, head)
    orbit = orbit_distance(canvas)
    face = face_bone_distance(canvas, head, orbit)
    mandible = mandible_distance(canvas, head)
    covered = [(base, 4.0), (face, 4.5 * head.cheek_fat), (mandible, 6.0 * head.cheek_fat)]
    skin = skin_distance(canvas, head, skull, covered)
    return _Surfaces(cavity, thickness, skull, base, orbit, face, mandible, skin)


def _paint_inside(canvas: Canvas, head: Head, variants: Variants, s: _Surfaces) -> None:
    paint_plate(canvas, variants, s.skull)
    paint_tumour(canvas, variants)
    paint_ear(canvas, head)
    nasal = nasal_distance(canvas) if canvas.touches((0, 40, -36), (18, 114, 26)) else None
    spaces = sinus_distance(canvas, head)
    if nasal is not None:
        nasal = np.maximum(nasal, s.skin)  # the nostrils end at the skin
        for name in ("maxillary", "ethmoid"):
            if name in spaces:
                spaces[name] = np.maximum(spaces[name], 1.2 - nasal)
        paint_nose(canvas, head, nasal)
    paint_sinuses(canvas, head, spaces, variants.filling)
    paint_airway(canvas, head)
    paint_teeth(canvas, head, variants.dental_fillings)
    paint_orbits(canvas, head, s.orbit)
    if float(s.cavity.min()) < 2 * canvas.width:
        paint_brain(canvas, head, s.cavity)
    paint_spine(canvas, head)
    paint_fracture(canvas, variants, s.skull)
    paint_mandible(canvas, head, s.mandible)
    _paint_skull(canvas, head, variants, s, nasal)
    paint_vessels(canvas)
    paint_soft_tissue(canvas, head, s.skull, s.skin)


def _paint_skull(canvas: Canvas, head: Head, variants: Variants, s: _Surfaces, nasal: Array | None) -> None:
    """Thin walls, then calvaria and base with tables and diploe, then the bones of the face."""
    # One outside for the braincase and its base, so that they grow into each other.
    outer = s.skull
    if s.base is not None:
        outer = smooth_min(outer, s.base, 4)
        paint_petrous(canvas)
    paint_orbit_walls(canvas, s.orbit)
    if nasal is not None:
        canvas.paint(Tissue.CORTICAL, np.maximum(np.maximum(nasal - 1.1, canvas.y - 88), 28 - canvas.y))
    if float(outer.min()) < 2 * canvas.width:
        paint_sutures(canvas, head, s.cavity, s.thickness, variants.fused_suture)
        table = np.float32(head.table) * (1 + 0.2 * canvas.noise["thickness"])
        canvas.paint_layers(
            [
                (Tissue.CORTICAL, s.cavity - 0.75 * table),
                (Tissue.TRABECULAR, outer + table),
                (Tissue.CORTICAL, outer),
            ]
        )
    if s.face is not None:
        cortex = np.float32((1.0 + 0.5 * min(head.age / 14, 1)) / head.scale)
        canvas.paint_layers([(Tissue.TRABECULAR, s.face + cortex), (Tissue.CORTICAL, s.face)])

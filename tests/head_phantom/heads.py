"""Heads painted on small blocks of voxels, with the findings that a test wants."""

import numpy as np

from sct.head_phantom.head import draw_head
from sct.head_phantom.placement import draw_placement
from sct.head_phantom.scene import draw_scene
from sct.head_phantom.tissue import Tissue
from sct.head_phantom.variants import Variants

BONE = (Tissue.CORTICAL, Tissue.TRABECULAR, Tissue.DENSE)


def on_vault(direction):
    """An anatomical point on the outside of the vault."""
    direction = np.array(direction, float)
    return tuple(float(v) for v in np.array([0, -6, 45]) + direction / np.linalg.norm(direction) * (71, 90, 70))


def scene_of(age, variants=None, seed=0):
    variants = variants or Variants()
    head = draw_head(seed, 0, age, "M")
    return draw_scene(seed, 0, head, variants, draw_placement(seed, 0, head, variants.shape_change))


def block(scene, point, half_mm=14.0, step_mm=1.0):
    """The canvas of a cube of voxels around an anatomical point."""
    centre = scene.placement.to_world(np.array([point], float))[0]
    axes = [centre[i] + np.arange(-half_mm, half_mm + step_mm / 2, step_mm) for i in range(3)]
    return scene.canvas(axes[0], axes[1], axes[2], step_mm)


def volumes_mm3(scene, point, half_mm=14.0):
    """How much there is of each tissue in a cube of 1 mm voxels; 0 of what is not there."""
    found = block(scene, point, half_mm).fractions
    return {tissue: float(found[tissue].sum()) if tissue in found else 0.0 for tissue in Tissue}


def bone_of(volumes):
    return sum(volumes[tissue] for tissue in BONE)

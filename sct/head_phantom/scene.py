"""A participant's head in the world, painted on any grid."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from sct.head_phantom.anatomy import paint_head
from sct.head_phantom.canvas import Canvas
from sct.head_phantom.fields import LatticeField
from sct.head_phantom.grid import Grid, blocks
from sct.head_phantom.head import Head
from sct.head_phantom.placement import Placement
from sct.head_phantom.randomness import generator
from sct.head_phantom.variants import Variants

__all__ = ["Scene", "draw_scene"]

Array = NDArray[np.float32]
Axis = NDArray[np.float64]

# Pitch of the anatomical noise fields in anatomical mm, and whether slow variation is taken out (band-pass).
_FIELDS = {
    "thickness": (18.0, False),
    "serration": (2.6, False),
    "cells": (2.7, True),
    "wobble": (9.0, False),
    "planes": (8.5, True),
    "gyri": (0.0, True),
}


@dataclass(frozen=True)
class Scene:
    """Anatomy and where it is.

    Attributes:
        head: Anatomical parameters.
        variants: Findings.
        placement: World -> anatomical coordinates.
        fields: Random fields over the world (mm) that shape what is irregular: cells, folds, bundles.
    """

    head: Head
    variants: Variants
    placement: Placement
    fields: dict[str, LatticeField]

    def paint(self, grid: Grid, table: Array) -> Array:
        """Mix the columns of `table` (channels, tissues) by the shares of the tissues: (channels, X, Y, Z)."""
        result = np.empty((len(table), *grid.shape), dtype=np.float32)
        axes = [grid.axis_mm(i) for i in range(3)]
        for i, j, k in blocks(grid.shape):
            canvas = self.canvas(axes[0][i], axes[1][j], axes[2][k], grid.spacing_mm)
            result[:, i, j, k] = canvas.mix(table)
        return result

    def canvas(self, x_mm: Axis, y_mm: Axis, z_mm: Axis, spacing_mm: float) -> Canvas:
        """The painted head on the small grid spanned by three world axes."""
        places = self.placement.on_axes(x_mm, y_mm, z_mm)
        canvas = Canvas(*places, spacing_mm / self.head.scale, _BlockNoise(self, (x_mm, y_mm, z_mm)))
        paint_head(canvas, self.head, self.variants)
        return canvas


class _BlockNoise(dict[str, Array]):
    """The scene's fields on one block, each computed when first asked for."""

    def __init__(self, scene: Scene, place: tuple[Axis, Axis, Axis]):
        super().__init__()
        self._scene = scene
        self._place = place

    def __missing__(self, name: str) -> Array:
        x, y, z = (axis - c for axis, c in zip(self._place, self._scene.placement.centre_mm, strict=True))
        self[name] = self._scene.fields[name].on_axes(x, y, z)
        return self[name]


def draw_scene(seed: int, index: int, head: Head, variants: Variants, placement: Placement) -> Scene:
    """Draw the irregular parts of a participant's anatomy."""
    fields = {}
    for name, (pitch, band) in _FIELDS.items():
        rng = generator(seed, index, f"field {name}")
        pitch_mm = (pitch or 0.62 * head.gyrus) * head.scale
        low, high = (-95.0 * head.scale, -120.0 * head.scale, -175.0), (95.0 * head.scale, 125.0 * head.scale, 140.0)
        field = LatticeField.noise(rng, low, high, pitch_mm)
        if band:
            values = field.values - gaussian_filter(field.values, 1.1)
            # Unit mean square slope, so that the field is about the distance (anatomical mm) from its zero surface.
            step = pitch_mm / 8
            axis = step * np.arange(-60, 60)
            sample = LatticeField(values, field.origin_mm, pitch_mm).on_axes(axis, axis[:40], axis[:40])
            slope = np.sqrt(3 * np.mean(np.diff(sample, axis=0) ** 2)) / step * head.scale
            field = LatticeField(values / np.float32(slope), field.origin_mm, pitch_mm)
        fields[name] = field
    return Scene(head, variants, placement, fields)

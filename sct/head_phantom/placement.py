"""Where a participant's anatomy lies in the world: pose, size, growth and a smooth random deformation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sct.head_phantom.fields import LatticeField
from sct.head_phantom.head import Head
from sct.head_phantom.randomness import generator

__all__ = ["Placement", "draw_placement"]

Array = NDArray[np.float32]
Coordinates = tuple[Array, Array, Array]
_REACH_MM = 190.0  # the deformation is defined this far from the head's centre

# Pitch (mm) and standard deviation (anatomical mm) of the parts of the deformation: build, features, small shape.
_DEFORMATION = ((80.0, 2.6), (40.0, 1.1), (20.0, 0.35))


@dataclass(frozen=True)
class Placement:
    """World (mm, RAS) -> anatomical coordinates (mm of an average adult).

    Attributes:
        head: Size and growth.
        rotation: World directions -> anatomical directions, (3, 3).
        centre_mm: World position of the point midway between the ears.
        neck_lean: How far the neck lies forward per mm below the skull.
        shape_change: Extra factors of (width in front, width, length, skew of the vault), 0 in an ordinary head.
        deformation: Three fields for each scale, in anatomical mm.
    """

    head: Head
    rotation: NDArray[np.float64]
    centre_mm: NDArray[np.float64]
    neck_lean: float
    shape_change: tuple[float, float, float, float]
    deformation: tuple[tuple[LatticeField, LatticeField, LatticeField], ...]

    def on_axes(self, x_mm: NDArray[np.float64], y_mm: NDArray[np.float64], z_mm: NDArray[np.float64]) -> Coordinates:
        """Anatomical coordinates on the grid spanned by three world axes, each (len(x), len(y), len(z))."""
        px, py, pz = (axis - centre for axis, centre in zip((x_mm, y_mm, z_mm), self.centre_mm, strict=True))
        turn = (self.rotation / self.head.scale).astype(np.float32)
        column, row, layer = (
            px.astype(np.float32)[:, None, None],
            py.astype(np.float32)[None, :, None],
            pz.astype(np.float32)[None, None, :],
        )
        x, y, z = (turn[i, 0] * column + turn[i, 1] * row + turn[i, 2] * layer for i in range(3))
        for fields in self.deformation:
            x += fields[0].on_axes(px, py, pz)
            y += fields[1].on_axes(px, py, pz)
            z += fields[2].on_axes(px, py, pz)
        return self._grow(x, y, z)

    def _grow(self, x: Array, y: Array, z: Array) -> Coordinates:
        """Undo neck lean, growth of the face, build and deformities."""
        head = self.head
        below = _ramp(-30 - z, 12)
        y = y - np.float32(self.neck_lean) * below
        z = z - np.float32(1 / head.face_height - 1) * _ramp(12 - z, 14)
        slender = 1 + np.float32(1 / head.neck_width - 1) * np.clip((-25 - z) * np.float32(1 / 40), 0, 1) * np.clip(
            (25 - y) * np.float32(1 / 25), 0, 1
        )
        x, y = x * slender, (y + 12) * slender - 12
        low = np.clip((20 - z) * np.float32(1 / 50), 0, 1)
        y = y + np.float32(1 / head.face_depth - 1) * low * _ramp(y - 30, 10)
        x = x * (1 + np.float32(1 / head.face_width - 1) * low)
        vault = np.clip((z - 5) * np.float32(1 / 30), 0, 1)
        front, width, length, skew = self.shape_change
        x = x * np.float32(1 / head.stretch[0]) * (1 + vault * np.float32(width))
        if front:
            x = x * (1 + np.float32(front) * vault * np.clip((y - 10) * np.float32(1 / 70), 0, 1))
        y = y * np.float32(1 / head.stretch[1]) * (1 + vault * np.float32(length))
        y = y + vault * x * np.float32(skew)
        y = y - np.float32(head.flat_back) * vault * x * np.clip(-y * np.float32(1 / 60), 0, 1)
        z = np.where(z > 0, z * np.float32(1 / head.stretch[2]), z)
        return x, y, z

    def to_anatomy(self, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """World points (n, 3) in mm -> anatomical points (n, 3)."""
        result = [np.stack(self.on_axes(*(p[i : i + 1] for i in range(3))))[:, 0, 0, 0] for p in points_mm]
        return np.asarray(result, dtype=np.float64).reshape(-1, 3)

    def to_world(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Anatomical points (n, 3) -> world points (n, 3) in mm, by fixed-point iteration (to about 0.001 mm)."""
        back = self.rotation.T * self.head.scale
        world = points @ back.T + self.centre_mm
        for _ in range(60):
            missing = points - self.to_anatomy(world)
            if float(np.abs(missing).max(initial=0.0)) < 1e-3:
                break
            world = world + missing @ back.T
        return np.asarray(world)


def _ramp(t: Array, width: float) -> Array:
    """max(t, 0) with a bend of about `width`."""
    return np.asarray(0.5 * (t + np.sqrt(t * t + np.float32(width * width / 4))))


def draw_placement(seed: int, index: int, head: Head, shape_change: tuple[float, float, float, float]) -> Placement:
    """Draw pose and deformation of a participant's head."""
    rng = generator(seed, index, "placement")
    pitch, roll, yaw = np.deg2rad(rng.normal(0, (7.0, 2.5, 3.0)))
    cx, sx, cy, sy, cz, sz = np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll), np.cos(yaw), np.sin(yaw)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    reach = (_REACH_MM,) * 3
    fields = []
    for pitch_mm, sd in _DEFORMATION:
        triple = []
        for _ in range(3):
            noise = LatticeField.noise(rng, (-_REACH_MM,) * 3, reach, pitch_mm * head.scale)
            triple.append(LatticeField(noise.values * np.float32(sd), noise.origin_mm, noise.pitch_mm))
        fields.append((triple[0], triple[1], triple[2]))
    return Placement(
        head=head,
        rotation=about_x @ about_y @ about_z,
        centre_mm=rng.normal(0, (4, 10, 15)),
        neck_lean=float(np.clip(0.12 + 0.14 * rng.standard_normal(), -0.2, 0.45)),
        shape_change=shape_change,
        deformation=tuple(fields),
    )

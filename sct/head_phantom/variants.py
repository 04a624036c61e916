"""What brings a patient to the scanner: fused sutures, fractures, plates, tumours, filled sinuses, dental metal."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.head_phantom.canvas import Canvas
from sct.head_phantom.head import Head
from sct.head_phantom.randomness import generator
from sct.head_phantom.shapes import ellipsoid
from sct.head_phantom.sinuses import Filling
from sct.head_phantom.tissue import Tissue

__all__ = ["Variants", "draw_variants", "paint_fracture", "paint_plate", "paint_tumour"]

Array = NDArray[np.floating[Any]]
Point = tuple[float, float, float]

_SUTURES = ("sagittal", "metopic", "unicoronal", "coronal", "lambdoid")
# Shape of the vault where a suture is closed: relative width in front, width, length, skew (anatomical, i.e. inverse).
_DEFORMITIES = {
    "sagittal": (0.0, 0.13, -0.09, 0.0),
    "metopic": (0.22, 0.0, 0.0, 0.0),
    "unicoronal": (0.0, 0.0, 0.03, 0.14),
    "coronal": (0.0, -0.09, 0.13, 0.0),
    "lambdoid": (0.0, -0.03, 0.06, -0.1),
}


@dataclass(frozen=True)
class Variants:
    """A participant's findings; empty for none.

    Attributes:
        fused_suture: Name of the suture that closed too early.
        shape_change: Deformity of the vault that goes with it (see `Placement`).
        fracture: Point on the skull, normal of the crack's plane, and width in mm.
        plate: Point on the skull under the middle of a plate, and direction along it.
        tumour: Centre and radii.
        filling: Fluid and swelling of the sinuses (see `paint_sinuses`).
        dental_fillings: Teeth with metal.
    """

    fused_suture: str | None = None
    shape_change: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    fracture: tuple[Point, Point, float] | None = None
    plate: tuple[Point, Point] | None = None
    tumour: tuple[Point, Point] | None = None
    filling: Filling = field(default_factory=dict)
    dental_fillings: frozenset[tuple[bool, int, int]] = frozenset()


def draw_variants(seed: int, index: int, head: Head, indication: str) -> Variants:
    """Draw the findings of a participant with this indication."""
    rng = generator(seed, index, "variants")
    fused, shape = None, (0.0, 0.0, 0.0, 0.0)
    was_fused = indication == "craniosynostosis" or (indication == "postoperative" and rng.uniform() < 0.4)
    if was_fused:
        fused = str(rng.choice(_SUTURES, p=(0.45, 0.22, 0.15, 0.1, 0.08)))
        strength = rng.uniform(0.5, 1.2) * (1.0 if indication == "craniosynostosis" else 0.5)
        a, b, c, d = (strength * value for value in _DEFORMITIES[fused])
        shape = (a, b, c, d * float(rng.choice([-1, 1])))
    fracture = None
    if indication == "trauma":
        fracture = _on_vault(rng), _direction(rng), float(rng.uniform(0.8, 2.5))
    plate = None
    if indication == "postoperative" or (indication == "trauma" and rng.uniform() < 0.3):
        plate = _on_vault(rng), _direction(rng)
    tumour = None
    if indication == "tumour":
        places = ((14.0, 58.0, -6.0), (30.0, 58.0, -14.0), (45.0, 5.0, -35.0), (0.0, 28.0, 6.0), (35.0, 55.0, 20.0))
        centre = np.array(places[int(rng.integers(len(places)))]) * (float(rng.choice([-1, 1])), 1, 1)
        radii = rng.uniform(7, 19) * np.exp(0.2 * rng.standard_normal(3))
        tumour = _point(centre), _point(radii)
    filling: Filling = {}
    for name in ("maxillary", "ethmoid", "sphenoid", "frontal"):
        for side in ("right", "left"):
            if rng.uniform() < (0.22 if head.age < 12 else 0.12):
                filling[f"{name} {side}"] = float(rng.uniform(0.2, 1.3))
            if rng.uniform() < 0.25:
                filling[f"{name} swollen {side}"] = float(rng.uniform(1.0, 5.0))
    metal: set[tuple[bool, int, int]] = set()
    if head.age > 9 and rng.uniform() < 0.4:
        for _ in range(int(rng.integers(1, 5))):
            metal.add((bool(rng.uniform() < 0.5), int(rng.choice([-1, 1])), int(rng.integers(3, 7))))
    return Variants(fused, shape, fracture, plate, tumour, filling, frozenset(metal))


def _point(values: NDArray[np.float64]) -> Point:
    return float(values[0]), float(values[1]), float(values[2])


def _direction(rng: np.random.Generator) -> Point:
    vector = rng.standard_normal(3)
    return _point(vector / np.linalg.norm(vector))


def _on_vault(rng: np.random.Generator) -> Point:
    """A point near the outside of the vault, above the ears."""
    vector = rng.standard_normal(3)
    vector[2] = abs(vector[2]) + 0.15
    vector /= np.linalg.norm(vector)
    return _point(np.array([0, -6, 45]) + vector * (71, 90, 70))


def paint_plate(canvas: Canvas, variants: Variants, skull: Array) -> None:
    """A titanium plate on the outer table: a bar with holes and screws."""
    if variants.plate is None:
        return
    (px, py, pz), along = variants.plate
    if not canvas.touches((px - 30, py - 30, pz - 30), (px + 30, py + 30, pz + 30)):
        return
    d = canvas.x - np.float32(px), canvas.y - np.float32(py), canvas.z - np.float32(pz)
    radial = np.array([px, py + 6, pz - 45])
    radial /= np.linalg.norm(radial)
    u_axis = np.array(along) - radial * float(np.dot(along, radial))
    u_axis /= max(float(np.linalg.norm(u_axis)), 1e-3)
    v_axis = np.cross(radial, u_axis)
    u, v = (sum(np.float32(a) * c for a, c in zip(axis, d, strict=True)) for axis in (u_axis, v_axis))
    bar = np.maximum(np.maximum(np.abs(u) - 13, np.abs(v) - 2.4), np.maximum(0.1 - skull, skull - 1.4))
    to_screw = np.sqrt((np.abs(np.abs(u) - 7) - 3.5) ** 2 + v**2)
    screw = np.maximum(to_screw - 0.9, np.maximum(-4 - skull, skull - 1.6))
    canvas.paint(Tissue.METAL, np.minimum(np.maximum(bar, 1.0 - np.abs(u)), screw))


def paint_tumour(canvas: Canvas, variants: Variants) -> None:
    """A soft-tissue mass that has displaced air and bone, with an uneven border."""
    if variants.tumour is None:
        return
    (cx, cy, cz), (rx, ry, rz) = variants.tumour
    if canvas.touches((cx - 25, cy - 25, cz - 25), (cx + 25, cy + 25, cz + 25)):
        mass = ellipsoid(canvas.x, canvas.y, canvas.z, (cx, cy, cz), (rx, ry, rz)) + 1.8 * canvas.noise["wobble"]
        canvas.paint(Tissue.TUMOUR, mass)


def paint_fracture(canvas: Canvas, variants: Variants, skull: Array) -> None:
    """A crack through all layers of the skull, within 45 mm of its middle, filled with blood."""
    if variants.fracture is None:
        return
    (px, py, pz), normal, width = variants.fracture
    if not canvas.touches((px - 45, py - 45, pz - 45), (px + 45, py + 45, pz + 45)):
        return
    d = canvas.x - np.float32(px), canvas.y - np.float32(py), canvas.z - np.float32(pz)
    plane = sum(np.float32(a) * c for a, c in zip(normal, d, strict=True)) + 1.2 * canvas.noise["wobble"]
    far = np.sqrt(d[0] ** 2 + d[1] ** 2 + d[2] ** 2)
    open_width = width * (1 - far / 45)
    canvas.paint(Tissue.BLOOD, np.maximum(np.abs(plane) - open_width / 2, np.maximum(skull, far - 45)))

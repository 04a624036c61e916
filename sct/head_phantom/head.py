"""One participant's head: what varies between people, by age and by chance.

Lengths are in mm of an average adult head (anatomical coordinates) unless a name says otherwise; real lengths follow by
`scale`. Growth curves are smooth fits through textbook values, named at each.
"""

from dataclasses import dataclass

import numpy as np

from sct.head_phantom.randomness import generator

__all__ = ["Head", "Pair", "calvaria_thickness_mm", "draw_head", "head_scale"]

Pair = tuple[float, float]
"""Values of the right and the left side."""


@dataclass(frozen=True)
class Head:
    """Anatomical parameters of a participant.

    Attributes:
        age: Years.
        scale: Real mm per anatomical mm.
        stretch: Width, length and height relative to the average head of that size.
        face_height, face_depth, face_width: Size of the face relative to the braincase, 1 in adults.
        thickness: Mean thickness of the calvaria.
        table: Thickness of the outer table; the inner has 0.75 times as much.
        suture_gap: Width of the open sutures.
        fontanelle: Half-diagonal of the anterior and radius of the posterior fontanelle, 0 when closed.
        metopic_gap: Width of the metopic suture, 0 when closed.
        scalp: Thickness of the scalp.
        cheek_fat, neck_width: Soft tissue relative to the average, 1.
        jaw_open: How far the lower teeth are from the upper ones.
        maxillary, frontal, mastoid: Size of these air spaces relative to a large adult's, 0 when absent.
        sphenoid: The same for the sphenoid sinus.
        mucosa: Thickness of the sinuses' lining.
        septum: Sideways deviation of the nasal septum.
        turbinates: Swelling of the turbinates.
        airway: Radius of the pharynx relative to the average.
        ventricles, csf_gap, sulcus: Size of the ventricles, gap between brain and skull, half-width of sulci.
        gyrus: Wavelength of the cortical folds.
        ear_angle: How far the ears stand off, in radians.
        dentition: "toothless", "primary", "mixed" or "permanent".
        flat_back: Strength of a flattening of the occiput on one side, negative for the left.
    """

    age: float
    scale: float
    stretch: tuple[float, float, float]
    face_height: float
    face_depth: float
    face_width: float
    thickness: float
    table: float
    suture_gap: float
    fontanelle: Pair
    metopic_gap: float
    scalp: float
    cheek_fat: float
    neck_width: float
    jaw_open: float
    maxillary: Pair
    frontal: Pair
    mastoid: Pair
    sphenoid: float
    mucosa: float
    septum: float
    turbinates: Pair
    airway: float
    ventricles: float
    csf_gap: float
    sulcus: float
    gyrus: float
    ear_angle: float
    dentition: str
    flat_back: float


def calvaria_thickness_mm(age: float) -> float:
    """Mean thickness of the parietal bone: 1.8 mm at birth, 3 at one year, 4.7 at 5, 6.8 in adults (Hansman 1966)."""
    return float(1.8 + 1.5 * (1 - np.exp(-age)) + 3.6 * (1 - np.exp(-age / 9)))


def head_scale(age: float) -> float:
    """Linear size of the head relative to an adult's, from the head circumference (WHO growth charts: 34.5 cm, 56)."""
    return float(1.0 - 0.25 * np.exp(-age / 0.7) - 0.13 * np.exp(-age / 6.0))


def _grown(age: float, at_birth: float, years: float) -> float:
    """From a share at birth to 1, most of it within `years`."""
    return float(1 - (1 - at_birth) * np.exp(-age / years))


def _sinus(rng: np.random.Generator, age: float, start: float, years: float) -> Pair:
    """Sizes of a paired sinus that appears at `start` years; the sides differ."""
    size = max(0.0, 1 - float(np.exp(-(age - start) / years)))
    sides = np.clip(size * np.exp(0.13 * rng.standard_normal(2)), 0, 1.2)
    return float(sides[0]), float(sides[1])


def draw_head(seed: int, index: int, age: float, sex: str) -> Head:
    """Draw a head of this age (years) and sex ("M" or "F")."""
    rng = generator(seed, index, "head")

    def vary(value: float, spread: float) -> float:
        return float(value * np.exp(spread * rng.standard_normal()))

    scale = vary(head_scale(age) * (1.0 if sex == "M" else 1 - 0.03 * _grown(age, 0.2, 8)), 0.022)
    thickness = vary(calvaria_thickness_mm(age), 0.13) / scale
    wide = 0.035 * rng.standard_normal()  # brachycephalic to dolichocephalic
    stretch = (vary(float(np.exp(wide)), 0.012), vary(float(np.exp(-wide)), 0.012), vary(1.0, 0.025))
    open_share = float(np.exp(-age / 1.2))
    frontal = _sinus(rng, age, 5.0, 7.0)
    if rng.uniform() < 0.1:
        frontal = (0.0, frontal[1])  # often missing on one side
    swelling = np.clip(1 + 0.25 * rng.standard_normal(2), 0.5, 1.45)
    if age < 0.6:
        dentition = "toothless"
    elif age < 6:
        dentition = "primary"
    elif age < 12:
        dentition = "mixed"
    else:
        dentition = "permanent"
    return Head(
        age=age,
        scale=scale,
        stretch=stretch,
        face_height=vary(_grown(age, 0.64, 6), 0.03),
        face_depth=vary(_grown(age, 0.78, 6), 0.03),
        face_width=vary(_grown(age, 0.84, 6), 0.03),
        thickness=thickness,
        table=vary(min(1.0 + 0.6 * _grown(age, 0.0, 8), 0.55 * thickness * scale), 0.15) / scale,
        suture_gap=vary(0.35 + 2.3 * open_share, 0.2) / scale,
        fontanelle=(max(0.0, vary(15 * (1 - age / 1.5), 0.25)), max(0.0, vary(5 * (1 - age / 0.25), 0.25))),
        metopic_gap=max(0.0, vary(2.2 * (1 - age / 0.8), 0.2)),
        scalp=vary(3.2 + 2.8 * _grown(age, 0.1, 6), 0.15) / scale,
        cheek_fat=vary(1.0 + 0.35 * float(np.exp(-age / 2)), 0.14),
        neck_width=vary(_grown(age, 0.78, 8) * (1.0 if sex == "M" else 0.93), 0.06),
        jaw_open=float(rng.choice([0.0, 0.0, 1.0, 3.0, 7.0]) * rng.uniform(0.6, 1.4)),
        maxillary=_sinus(rng, age, -2.0, 6.0),
        frontal=frontal,
        mastoid=_sinus(rng, age, 0.0, 4.0),
        sphenoid=_sinus(rng, age, 1.5, 6.0)[0],
        mucosa=vary(0.7, 0.35),
        septum=float(np.clip(2.0 * rng.standard_normal(), -4, 4)) * _grown(age, 0.2, 8),
        turbinates=(float(swelling[0]), float(swelling[1])),
        airway=vary(1.0, 0.2),
        ventricles=vary(0.9 + 0.2 * min(age / 60, 1), 0.15),
        csf_gap=vary(2.2, 0.3),
        sulcus=vary(0.55, 0.35),
        gyrus=vary(15.0, 0.08),
        ear_angle=float(np.clip(0.4 + 0.15 * rng.standard_normal(), 0.1, 0.8)),
        dentition=dentition,
        flat_back=float(0.12 * rng.standard_normal()) if age < 4 else float(0.03 * rng.standard_normal()),
    )

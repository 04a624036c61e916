"""One participant's head: growth, shape and what varies between people."""

from dataclasses import dataclass

import numpy as np

from sct.head_phantom.randomness import generator

__all__ = ["Head", "draw_head"]


@dataclass(frozen=True)
class Head:
    """Anatomical parameters of a participant; lengths in mm of an average adult head."""

    age: float
    scale: float
    thickness_mm: float


def calvaria_thickness_mm(age: float) -> float:
    """Mean thickness of the parietal bone in mm: about 2 at birth, 4 at 5 years, 6.5 in adults."""
    return float(1.8 + 4.7 * (1 - np.exp(-age / 7.0)))


def head_scale(age: float) -> float:
    """Linear size of the head relative to an adult's, from the head circumference (WHO growth charts: 34.5 cm, 56)."""
    return float(1.0 - 0.26 * np.exp(-age / 0.8) - 0.12 * np.exp(-age / 6.0))


def draw_head(seed: int, index: int, age: float, sex: str) -> Head:
    """Draw a head."""
    rng = generator(seed, index, "head")
    scale = head_scale(age) * (1.0 if sex == "M" else 0.965) * float(np.exp(0.025 * rng.standard_normal()))
    thickness = calvaria_thickness_mm(age) * float(np.exp(0.12 * rng.standard_normal()))
    return Head(age=age, scale=scale, thickness_mm=thickness / scale)

"""A known displacement of the MR, and landmarks placed by a reader."""

import numpy as np
from numpy.typing import NDArray

from sct.head_phantom.placement import Placement

__all__ = ["LANDMARKS", "PLACEMENT_ERROR_MM", "Landmarks", "draw_displacement", "draw_landmarks"]

Landmarks = dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Name -> position in the MR and in the CT, mm RAS."""

PLACEMENT_ERROR_MM = 1.0
"""Standard deviation of a landmark's distance error in all (root mean square over the three directions together),
shared equally by the marks on MR and CT: what trained readers reach on landmarks of the skull."""

# Anatomical places (mm of an average adult; x right, y front, z up).
LANDMARKS: dict[str, tuple[float, float, float]] = {
    "nasion": (0, 92, 22),
    "anterior_nasal_spine": (0, 91, -24),
    "bregma": (0, 17, 111),
    "lambda": (0, -84, 65),
    "sella": (0, 17, 20),
    "basion": (0, 0, -16),
    "dens_tip": (0, -3, -19),
    "menton": (0, 83, -98),
    "right_lens": (32, 75, 17),
    "left_lens": (-32, 75, 17),
    "right_zygoma": (50, 66, -2),
    "left_zygoma": (-50, 66, -2),
    "right_mastoid": (50, -13, -26),
    "left_mastoid": (-50, -13, -26),
    "right_cochlea": (34, 4, 2),
    "left_cochlea": (-34, 4, 2),
    "right_condyle": (50, 9, -3),
    "left_condyle": (-50, 9, -3),
    "inion": (0, -97, 18),
    "vertex": (0, -12, 116),
}


def draw_displacement(rng: np.random.Generator, centre_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """An affine (4, 4) MR world -> CT world: up to 15 mm and 10 degrees, 1 % of scale and shear, about the head."""
    axis = rng.standard_normal(3)
    axis /= np.linalg.norm(axis)
    angle = np.deg2rad(rng.uniform(3, 10))
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    rotation = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    stretch = np.eye(3) + np.diag(rng.uniform(-0.01, 0.01, 3)) + np.triu(rng.uniform(-0.01, 0.01, (3, 3)), 1)
    direction = rng.standard_normal(3)
    shift = direction / np.linalg.norm(direction) * rng.uniform(4, 15)
    affine = np.eye(4)
    affine[:3, :3] = rotation @ stretch
    affine[:3, 3] = centre_mm + shift - affine[:3, :3] @ centre_mm
    return affine


def draw_landmarks(
    rng: np.random.Generator,
    placement: Placement,
    displacement: NDArray[np.float64],
    error_mm: float = PLACEMENT_ERROR_MM,
) -> Landmarks:
    """Landmarks in both images, each placed with its own error; `error_mm` 0 gives exact pairs."""
    ct = placement.to_world(np.array(list(LANDMARKS.values()), dtype=np.float64))
    mr = (ct - displacement[:3, 3]) @ np.linalg.inv(displacement[:3, :3]).T
    # The error of a pair adds up from both images and three directions.
    sd = error_mm / np.sqrt(6)
    ct = ct + sd * rng.standard_normal(ct.shape)
    mr = mr + sd * rng.standard_normal(mr.shape)
    return {name: (mr[i], ct[i]) for i, name in enumerate(LANDMARKS)}

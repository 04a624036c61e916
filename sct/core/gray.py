"""Gray levels and Hounsfield units: the one place where they meet.

An 8-bit level g stands for HU = level - width/2 + width * g/255 (Bambach & Ho 2022, bone window of width 2000 HU; the
level of 500 HU is our assumption). The map is exact on the 256 levels, within width/510 = 3.93 HU inside the window,
and saturates outside it: inner air cannot go under -500 HU.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

__all__ = ["AIR_BELOW_HU", "BONE_FROM_HU", "Window", "gray8_to_hu", "gray_to_hu", "hu_to_gray", "hu_to_gray8"]

AIR_BELOW_HU = -200
"""CT below it is air, where tissues are told apart (our assumption)."""
BONE_FROM_HU = 300
"""CT from it on is bone, where one border is needed: the paper's lowest bone threshold, 40 % gray."""

Array = TypeVar("Array", NDArray[np.floating], torch.Tensor, float)


@dataclass(frozen=True)
class Window:
    """A CT display window.

    Attributes:
        level_hu: Centre in HU.
        width_hu: Width in HU, positive.
    """

    level_hu: float = 500.0
    width_hu: float = 2000.0

    def __post_init__(self) -> None:
        if not self.width_hu > 0:
            raise ValueError(f"window width must be positive, not {self.width_hu}")

    @property
    def lowest_hu(self) -> float:
        """HU of gray 0."""
        return self.level_hu - self.width_hu / 2

    @property
    def highest_hu(self) -> float:
        """HU of gray 1 (level 255)."""
        return self.level_hu + self.width_hu / 2


def gray_to_hu(gray: Array, window: Window) -> Array:
    """HU of gray values on the scale 0..1, any shape; numpy, torch or a number."""
    return window.lowest_hu + window.width_hu * gray


def hu_to_gray(hu: Array, window: Window) -> Array:
    """Gray values on the scale 0..1 of HU, not clipped: inverse of `gray_to_hu`."""
    return (hu - window.lowest_hu) / window.width_hu


def gray8_to_hu(level: ArrayLike, window: Window) -> NDArray[np.float64]:
    """HU, float64, of 8-bit levels 0..255, any shape."""
    return np.asarray(level, np.float64) / 255.0 * window.width_hu + window.lowest_hu


def hu_to_gray8(hu: ArrayLike, window: Window) -> NDArray[np.uint8]:
    """8-bit levels of HU, any shape: windowed, clipped, rounded once (half to even)."""
    gray = (np.asarray(hu) - window.lowest_hu) * (255.0 / window.width_hu)
    return np.rint(np.clip(gray, 0.0, 255.0)).astype(np.uint8)

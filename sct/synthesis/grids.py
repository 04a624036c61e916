"""From the network's isotropic grid to the grid of another volume: the MR's own, or a reference CT's."""

import numpy as np
from numpy.typing import NDArray

from sct.core.volume import AIR_HU, Volume
from sct.geometry.resample import resample
from sct.synthesis.isotropic_mr import IsotropicMr

__all__ = ["hu_on_grid", "inside_on_grid", "to_grid"]


def to_grid(data: NDArray[np.float32], isotropic: IsotropicMr, like: Volume, fill: float) -> NDArray[np.float32]:
    """Values on the network's grid -> the grid of another volume, trilinear."""
    return resample(Volume(data, isotropic.affine), like.shape, like.affine, order=1, fill=fill)[0]


def inside_on_grid(inside: NDArray[np.bool_], isotropic: IsotropicMr, like: Volume) -> NDArray[np.bool_]:
    """A mask on the network's grid -> the grid of another volume: at least half."""
    return to_grid(inside.astype(np.float32), isotropic, like, 0.0) >= np.float32(0.5)


def hu_on_grid(
    hu: NDArray[np.float32],
    covered: NDArray[np.bool_],
    inside: NDArray[np.bool_],
    isotropic: IsotropicMr,
    like: Volume,
) -> NDArray[np.float32]:
    """HU on the network's grid -> the grid of another volume, air outside the head.

    At the mask's edge the network's darkest gray stands beside the prediction, as it does in training; -1000 HU there
    would be smeared into the skin.
    """
    lowest = np.float32(isotropic.settings.window.lowest_hu)
    values = to_grid(np.where(covered, hu, lowest), isotropic, like, float(lowest))
    return np.where(inside, values, np.float32(AIR_HU))

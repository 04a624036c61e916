"""A new patient's MR, checked, on the grid and in the gray values that the network was trained on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sct.core.errors import SctError
from sct.core.volume import Volume
from sct.geometry.resample import isotropic_grid, resample
from sct.preparation.pair import value_range
from sct.preparation.settings import PrepareSettings
from sct.slices.planes import extract, restore

__all__ = ["IsotropicMr", "check_mr_geometry", "isotropic_mr"]

_LEAST_VOXELS = 16  # fewer along an axis are no volume of a head
_LEAST_MM, _MOST_MM = 40.0, 1000.0  # extent of an axis
_LEAST_SPACING_MM, _MOST_SPACING_MM = 0.2, 8.0  # a whole head at less is over 10^9 voxels; at more shows no bone


@dataclass(frozen=True)
class IsotropicMr:
    """An MR volume as slices are cut from it.

    Attributes:
        data: Array (X, Y, Z), float32, RAS+, the scanner's units.
        field_of_view: Boolean (X, Y, Z): where the MR was taken.
        affine: Array (4, 4): voxel -> world mm, RAS.
        mr_range: Values of the whole volume that become gray 0 and 1.
        settings: Of the network's training.
    """

    data: NDArray[np.float32]
    field_of_view: NDArray[np.bool_]
    affine: NDArray[np.float64]
    mr_range: tuple[float, float]
    settings: PrepareSettings

    def gray(self, plane: str) -> NDArray[np.float32]:
        """Gray 0..1 (X, Y, Z), scaled as in training: by the volume's range, or by the range of each slice of a plane.

        A constant slice is all 0.
        """
        if self.settings.mr_scaling_unit == "volume":
            return _scaled(self.data, self.mr_range)
        slices = []
        for values, seen in zip(extract(self.data, plane), extract(self.field_of_view, plane), strict=True):
            slices.append(_scaled(values, value_range(values[seen], self.settings) if seen.any() else self.mr_range))
        return restore(np.stack(slices), plane)


def isotropic_mr(mr: Volume, settings: PrepareSettings, name: str = "MR") -> IsotropicMr:
    """Bring an MR of any orientation and spacing onto the isotropic RAS+ grid of the training.

    Args:
        mr: The volume.
        settings: Of the network's training.
        name: What messages call the volume.

    Raises:
        SctError: The volume is constant, or too small, too fine or too coarse to be a head.
    """
    check_mr_geometry(mr, name)
    mr_range = value_range(mr.data, settings)
    if not mr_range[0] < mr_range[1]:
        raise SctError(f"{name}: constant volume (gray range {mr_range[0]:g} to {mr_range[1]:g}); an MR was expected")
    shape, affine = isotropic_grid(mr, settings.spacing_mm)
    with _memory_named(name, shape):
        data, field_of_view = resample(mr, shape, affine, order=1, fill=mr_range[0])
    return IsotropicMr(data, field_of_view, affine, mr_range, settings)


def check_mr_geometry(mr: Volume, name: str) -> None:
    """Refuse what cannot be a head.

    Raises:
        SctError: Names the volume, its size and what was expected.
    """
    spacing = mr.spacing_mm
    size = " x ".join(str(n) for n in mr.shape)
    if min(mr.shape) < _LEAST_VOXELS:
        raise SctError(f"{name}: {size} voxels; a head needs at least {_LEAST_VOXELS} along each axis")
    if spacing.min() < _LEAST_SPACING_MM or spacing.max() > _MOST_SPACING_MM:
        shown = " x ".join(f"{mm:g}" for mm in spacing)
        raise SctError(
            f"{name}: voxels of {shown} mm; expected {_LEAST_SPACING_MM:g} to {_MOST_SPACING_MM:g} mm "
            "(units other than mm in the header?)"
        )
    extent = spacing * mr.shape
    if extent.min() < _LEAST_MM or extent.max() > _MOST_MM:
        shown = " x ".join(f"{mm:.0f}" for mm in extent)
        raise SctError(f"{name}: a field of view of {shown} mm; expected {_LEAST_MM:.0f} to {_MOST_MM:.0f} mm")


def _scaled(values: NDArray[np.float32], mr_range: tuple[float, float]) -> NDArray[np.float32]:
    low, high = mr_range
    if not low < high:
        return np.zeros_like(values)
    gray = (values - np.float32(low)) * np.float32(1.0 / (high - low))
    return np.clip(gray, 0.0, 1.0, out=gray)


@contextmanager
def _memory_named(name: str, shape: tuple[int, int, int]) -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        size = " x ".join(str(n) for n in shape)
        raise SctError(f"{name}: {size} voxels do not fit the memory; crop it to the head") from error

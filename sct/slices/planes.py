"""A volume as a stack of slices in each of the three planes, and back.

Slices stand as radiologists read them: the patient's right is on the left of the image, the nose up in axial slices and
to the left in sagittal ones.
"""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["PLANES", "extract", "restore"]

PLANES = ("axial", "coronal", "sagittal")
"""Plane names; a plane's number is its index here."""

Scalar = TypeVar("Scalar", bound=np.generic)

# plane -> volume axes that become (slice, row, column) of the stack; rows and columns run against the RAS+ axes
_AXES = {"axial": (2, 1, 0), "coronal": (1, 2, 0), "sagittal": (0, 2, 1)}


def extract(volume: NDArray[Scalar], plane: str) -> NDArray[Scalar]:
    """All slices of a volume in one plane.

    Args:
        volume: Voxels (X, Y, Z) in RAS+ order (`Volume.to_ras`).
        plane: One of `PLANES`.

    Returns:
        View (n, rows, cols). Slice k lies at voxel index k of the volume's axis. Row 0 is anterior (axial) or superior
        (coronal, sagittal); column 0 is the patient's right (axial, coronal) or anterior (sagittal).

    Raises:
        ValueError: An unknown plane, or not three dimensions.
    """
    return _three_dimensional(volume).transpose(_axes(plane))[:, ::-1, ::-1]


def restore(stack: NDArray[Scalar], plane: str) -> NDArray[Scalar]:
    """The volume of a stack of slices: exact inverse of `extract`.

    Args:
        stack: Slices (n, rows, cols) as `extract` gives them.
        plane: One of `PLANES`.

    Returns:
        View (X, Y, Z).

    Raises:
        ValueError: An unknown plane, or not three dimensions.
    """
    return _three_dimensional(stack)[:, ::-1, ::-1].transpose(np.argsort(_axes(plane)))


def _axes(plane: str) -> tuple[int, int, int]:
    if plane not in _AXES:
        raise ValueError(f"plane {plane!r} is none of {', '.join(PLANES)}")
    return _AXES[plane]


def _three_dimensional(array: NDArray[Any]) -> NDArray[Any]:
    if array.ndim != 3:
        raise ValueError(f"a volume or stack has 3 dimensions, not {array.ndim}")
    return array

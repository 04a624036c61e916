"""What every volume that is read must fulfil, whatever its file format."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sct.core.errors import SctError
from sct.core.volume import Volume

__all__ = ["checked_volume", "require_file"]


def require_file(path: Path) -> None:
    """Refuse a path that is missing, no file, or of no length.

    Raises:
        SctError: Names the path and what is wrong with it.
    """
    if not path.exists():
        raise SctError(f"{path}: no such file")
    if not path.is_file():
        raise SctError(f"{path}: not a file; a volume file was expected")
    if path.stat().st_size == 0:
        raise SctError(f"{path}: the file is empty (0 bytes)")


def checked_volume(path: Path, data: NDArray[np.generic], affine: NDArray[np.float64]) -> Volume:
    """Make a float32 volume of what a reader found, or refuse it.

    Trailing axes of length 1 are dropped (many writers store a fourth one).

    Args:
        path: The file, for the messages.
        data: Array of 3 or more axes.
        affine: Array (4, 4): voxel index -> world mm, RAS.

    Raises:
        SctError: Not three-dimensional, without voxels, not real numbers, NaN or infinite, or without a usable affine.
    """
    if data.dtype.kind not in "biuf":
        raise SctError(f"{path}: voxels are of type {data.dtype}, not real numbers; a gray-scale volume was expected")
    while data.ndim > 3 and data.shape[-1] == 1:
        data = data[..., 0]
    extent = " x ".join(str(n) for n in data.shape)
    if data.size == 0:
        raise SctError(f"{path}: the volume has no voxels ({extent})")
    if data.ndim > 3:
        raise SctError(f"{path}: {data.ndim}-D image ({extent}); one 3-D volume was expected")
    if data.ndim < 3 or min(data.shape) < 2:
        raise SctError(f"{path}: 2-D image ({extent}); a 3-D volume was expected")
    with np.errstate(over="ignore"):  # float64 beyond float32 becomes infinite and is refused below
        values = data.astype(np.float32, copy=False)
    n_bad = values.size - int(np.count_nonzero(np.isfinite(values)))
    if n_bad:
        raise SctError(f"{path}: {n_bad} of {values.size} voxels are NaN or infinite; finite values were expected")
    matrix = np.asarray(affine, dtype=np.float64)
    # The determinant of the unit directions: independent of the voxel size, 1 for an orthogonal grid.
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    if not np.isfinite(matrix).all() or (lengths < 1e-9).any() or abs(np.linalg.det(matrix[:3, :3] / lengths)) < 1e-6:
        raise SctError(f"{path}: the affine in the header is not invertible, so the voxels have no place in the world")
    return Volume(values, matrix)

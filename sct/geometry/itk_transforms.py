"""ITK transforms (LPS, with a centre) from and to our 4 x 4 matrices (RAS)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["affine_like", "matrix_of", "rigid_closest_to"]

_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def rigid_closest_to(matrix: NDArray[np.float64], centre_mm: NDArray[np.float64]) -> Any:
    """A rigid SimpleITK transform about `centre_mm` (3,) whose rotation is the closest to an affine (4, 4), RAS."""
    import SimpleITK

    lps = _LPS @ matrix @ _LPS
    centre = _LPS[:3, :3] @ centre_mm
    make: Any = SimpleITK.Euler3DTransform
    transform = make()
    transform.SetCenter(centre.tolist())
    transform.SetMatrix(_closest_rotation(lps[:3, :3]).ravel().tolist(), 1e-6)
    transform.SetTranslation((lps[:3, :3] @ centre + lps[:3, 3] - centre).tolist())
    return transform


def affine_like(rigid: Any, stretched: NDArray[np.float64] | None = None) -> Any:
    """An affine SimpleITK transform equal to a rigid one, with the stretch of a (4, 4) matrix, RAS, where given."""
    import SimpleITK

    linear = np.array(rigid.GetMatrix()).reshape(3, 3)
    if stretched is not None:
        lps = (_LPS @ stretched @ _LPS)[:3, :3]
        linear = linear @ _closest_rotation(lps).T @ lps
    make: Any = SimpleITK.AffineTransform
    transform = make(3)
    transform.SetCenter(rigid.GetCenter())
    transform.SetMatrix(linear.ravel().tolist())
    transform.SetTranslation(rigid.GetTranslation())
    return transform


def matrix_of(transform: Any) -> NDArray[np.float64]:
    """The (4, 4) RAS matrix of a linear SimpleITK transform with a centre."""
    linear = np.array(transform.GetMatrix()).reshape(3, 3)
    centre, translation = np.array(transform.GetCenter()), np.array(transform.GetTranslation())
    lps = np.eye(4)
    lps[:3, :3] = linear
    lps[:3, 3] = translation + centre - linear @ centre
    return np.asarray(_LPS @ lps @ _LPS)


def _closest_rotation(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    u, _, vt = np.linalg.svd(linear)
    return np.asarray(u @ vt)

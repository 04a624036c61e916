"""Small pairs written with nibabel: other orientation, spacing and grid for MR and CT."""

import nibabel as nib
import numpy as np

SPACING_MM = 4.0


def save(data, affine, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.asarray(data, np.float32), affine), path)
    return path


def grid(shape, spacing_mm, centre_mm=(0.0, 0.0, 0.0)):
    """Affine of a RAS+ grid around a centre."""
    spacing = np.broadcast_to(np.asarray(spacing_mm, float), 3)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = np.asarray(centre_mm) - (np.asarray(shape) - 1) / 2 * spacing
    return affine


def world(shape, affine):
    """World positions (3, X, Y, Z) of a grid's voxels."""
    indices = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"))
    return np.einsum("ij,jxyz->ixyz", affine[:3, :3], indices) + affine[:3, 3].reshape(3, 1, 1, 1)


def head_hu(position_mm, seed=0):
    """Tissue in an ellipsoid with a shell of bone, an airway, and noisy air around."""
    x, y, z = position_mm
    radius = np.sqrt((x / 36) ** 2 + (y / 44) ** 2 + (z / 40) ** 2)
    hu = np.full(radius.shape, -1000.0)
    hu[radius < 1] = 40 + 20 * np.sin(x[radius < 1] / 9)
    hu[(radius < 0.85) & (radius > 0.65)] = 1100
    hu[np.hypot(x, y + 4) < 7] = -1000
    return hu + np.random.default_rng(seed).normal(0, 15, hu.shape)


def head_mr(position_mm):
    """Brighter where the CT is soft, dark in air and bone, slowly varying."""
    x, y, z = position_mm
    hu = head_hu(position_mm)
    signal = np.where(hu < -300, 5.0, np.where(hu > 600, 60.0, 300.0))
    return signal + 20 * np.cos(y / 15) + 0.2 * z + 0.1 * x

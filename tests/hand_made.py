"""A cohort that the phantom did not write: heads of plain solids, each scan on a grid of its own."""

from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.spatial.transform import Rotation

GRIDS = {
    # spacing in mm, voxels, rotation in degrees, signs and order of the axes: of the CT, of the MR
    "thick-slices": (((2, 2, 6), (84, 104, 32)), ((4, 4, 4), (46, 54, 50), (0, 0, 0), (-1, 1, -1), (1, 2, 0))),
    "oblique-mr": (((4, 4, 4), (44, 54, 50), (0, 0, 0), (-1, -1, 1)), ((3, 6, 4), (64, 40, 54), (12, -8, 20))),
    "oblique-ct": (((3, 3, 5), (66, 80, 46), (15, 0, 5)), ((5, 4, 3), (36, 52, 70), (0, 0, 0), (1, 1, 1), (2, 0, 1))),
    "mirrored": (((4, 4, 4), (44, 54, 50)), ((4, 4, 8), (50, 58, 28), (0, 20, -15), (1, -1, 1))),
}


def write_hand_made_cohort(folder: Path) -> None:
    """Four participants; a sinus on the right, in front and below tells every axis and its direction."""
    rng = np.random.default_rng(0)
    for number, (name, grids) in enumerate(GRIDS.items()):
        for scan, grid, dtype in zip(("ct", "mr"), grids, (np.int16, np.float32), strict=True):
            affine = _affine(*grid)
            values = _head(affine, grid[1], 1 + 0.04 * number)[scan]
            (folder / name).mkdir(parents=True, exist_ok=True)
            noisy = values + rng.normal(0, 10, values.shape)
            nib.save(nib.Nifti1Image(noisy.astype(dtype), affine), folder / name / f"{scan}.nii.gz")
    rows = [f"{name}\t{1 + number % 2}\t{30 + number}" for number, name in enumerate(GRIDS)]
    (folder / "participants.tsv").write_text("participant_id\tinstitution\tshoe size\n" + "\n".join(rows) + "\n")


def _affine(spacing, shape, degrees=(0, 0, 0), signs=(1, 1, 1), order=(0, 1, 2)):
    """Voxel -> world mm, the middle of the grid at the origin."""
    affine = np.eye(4)
    turn = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    affine[:3, :3] = turn @ np.eye(3)[:, list(order)] @ np.diag(np.multiply(signs, spacing))
    affine[:3, 3] = -affine[:3, :3] @ (np.array(shape) - 1) / 2
    return affine


def _head(affine, shape, size):
    x, y, z = (affine[:3, :3] @ np.indices(shape).reshape(3, -1) + affine[:3, 3:]) / size

    def inside(a, b, c, at=(0, 0, 0)):
        return ((x - at[0]) / a) ** 2 + ((y - at[1]) / b) ** 2 + ((z - at[2]) / c) ** 2 < 1

    ct, mr = np.full(x.shape, -1000.0), np.full(x.shape, 20.0)
    sinus = inside(18, 18, 18, (25, 45, -30))
    for where, hu, signal in (
        (inside(75, 95, 85), 40, 800),
        (inside(70, 90, 80), 1200, 150),
        (inside(60, 80, 70), 35, 700),
        (sinus, -1000, 20),
    ):
        ct[where], mr[where] = hu, signal
    return {"ct": ct.reshape(shape), "mr": mr.reshape(shape)}

"""A picture by which a reader accepts or refuses a registration."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sct.core.files import atomic_path
from sct.core.volume import Volume
from sct.geometry.resample import isotropic_grid, resample

__all__ = ["checkerboard", "write_registration_picture"]

_SPACING_MM = 1.5  # of the picture
_TILE_MM = 24.0  # of the checkerboard
_BONE_HU = 300.0  # contour drawn on the MR
_CT_WINDOW_HU = (-500.0, 1500.0)


def checkerboard(a: NDArray[np.float32], b: NDArray[np.float32], tile_px: int) -> NDArray[np.float32]:
    """Two images (H, W) in alternating square tiles; the first tile is of `a`."""
    rows, cols = np.indices(a.shape) // tile_px
    return np.where((rows + cols) % 2 == 0, a, b)


def write_registration_picture(
    mr: Volume, ct: Volume, matrix: NDArray[np.float64], path: Path, title: str = ""
) -> None:
    """Write a PNG: MR and CT in a checkerboard, and the CT's bone contour on the MR, in three planes.

    Args:
        mr: MR, in its own world.
        ct: CT in HU.
        matrix: Array (4, 4): MR world -> CT world.
        path: The PNG; written atomically.
        title: Above the picture: participant and errors.

    Raises:
        SctError: The file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shape, affine = isotropic_grid(ct, _SPACING_MM)
    ct_hu, _ = resample(ct, shape, affine, fill=_CT_WINDOW_HU[0])
    mr_values, inside = resample(Volume(mr.data, matrix @ mr.affine), shape, affine)
    low, high = np.percentile(mr_values[inside], [1, 99.5]) if inside.any() else (0.0, 1.0)
    mr_gray = np.clip((mr_values - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)
    ct_gray = np.clip((ct_hu - _CT_WINDOW_HU[0]) / (_CT_WINDOW_HU[1] - _CT_WINDOW_HU[0]), 0, 1).astype(np.float32)

    centre = _bone_centre(ct_hu)
    figure = Figure(figsize=(10.5, 7.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 3)
    for column, plane in enumerate(("axial", "coronal", "sagittal")):
        mr_slice, ct_slice, hu_slice = (_slice(data, plane, centre) for data in (mr_gray, ct_gray, ct_hu))
        board, contour = axes[0][column], axes[1][column]
        board.imshow(checkerboard(mr_slice, ct_slice, round(_TILE_MM / _SPACING_MM)), cmap="gray", vmin=0, vmax=1)
        board.set_title(f"{plane}: MR and CT", fontsize=9)
        contour.imshow(mr_slice, cmap="gray", vmin=0, vmax=1)
        if hu_slice.min() < _BONE_HU < hu_slice.max():
            contour.contour(hu_slice, levels=[_BONE_HU], colors="#ff9d00", linewidths=0.7)
        contour.set_title(f"{plane}: bone of the CT ({_BONE_HU:.0f} HU) on the MR", fontsize=9)
        board.axis("off")
        contour.axis("off")
    figure.suptitle(title, fontsize=10)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110, metadata={"Software": None})


def _bone_centre(hu: NDArray[np.float32]) -> tuple[int, int, int]:
    """Index of the middle of the bone, of the volume where there is none: planes worth looking at."""
    bone = np.argwhere(hu > _BONE_HU)
    x, y, z = np.median(bone, axis=0).astype(int) if len(bone) else np.array(hu.shape) // 2
    return int(x), int(y), int(z)


def _slice(data: NDArray[np.float32], plane: str, at: tuple[int, int, int]) -> NDArray[np.float32]:
    """A slice of a RAS+ volume as radiologists see it: anterior or superior up, patient's right on the left."""
    if plane == "axial":
        return data[::-1, ::-1, at[2]].T
    if plane == "coronal":
        return data[::-1, at[1], ::-1].T
    return data[at[0], ::-1, ::-1].T

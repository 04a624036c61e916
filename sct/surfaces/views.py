"""From where a head is looked at, and the pictures seen from there."""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sct.surfaces.mesh import Mesh
from sct.surfaces.splats import splat_view

__all__ = ["VIEWS", "View", "render_views"]


@dataclass(frozen=True)
class View:
    """A direction of sight.

    Attributes:
        name: Word for the picture's title.
        towards_viewer: Unit vector in RAS from the head to the eye.
        up: Unit vector in RAS that points up in the picture.
    """

    name: str
    towards_viewer: tuple[float, float, float]
    up: tuple[float, float, float]


VIEWS = (
    View("front", (0, 1, 0), (0, 0, 1)),
    View("patient's right", (1, 0, 0), (0, 0, 1)),
    View("top", (0, 0, 1), (0, 1, 0)),
    View("back", (0, -1, 0), (0, 0, 1)),
    View("patient's left", (-1, 0, 0), (0, 0, 1)),
    View("bottom", (0, 0, -1), (0, 1, 0)),
)
VTK_TIMEOUT_S = 120


def render_views(mesh: Mesh, size_px: int) -> tuple[list[NDArray[np.uint8]], str]:
    """Pictures of a coloured mesh from every direction of `VIEWS`.

    VTK draws in a process of its own, since it may abort where it finds no way to render (no EGL, no display); then,
    and when its pictures are empty, our own software renderer draws.

    Args:
        mesh: With colours.
        size_px: Side of the square pictures.

    Returns:
        One picture (size_px, size_px, 3) per view, white background, and the renderer's name ("vtk" or "splats").
    """
    images = _render_with_vtk(mesh, size_px)
    if images is not None:
        return images, "vtk"
    return [splat_view(mesh, view.towards_viewer, view.up, size_px) for view in VIEWS], "splats"


def _render_with_vtk(mesh: Mesh, size_px: int) -> list[NDArray[np.uint8]] | None:
    package_parent = str(Path(__file__).resolve().parents[2])
    paths = [package_parent, *filter(None, [os.environ.get("PYTHONPATH")])]
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "mesh.npz", Path(folder) / "views.npy"
        np.savez(source, points_mm=mesh.points_mm, faces=mesh.faces, colors=_colors(mesh))
        try:
            subprocess.run(
                [sys.executable, "-m", "sct.surfaces.vtk_views", str(source), str(target), str(size_px)],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=VTK_TIMEOUT_S,
                check=True,
            )
            images = np.load(target)
        except (subprocess.SubprocessError, OSError, ValueError):
            return None
    is_empty = (images == 255).all(axis=(1, 2, 3)) | (images == 0).all(axis=(1, 2, 3))
    return None if is_empty.any() else list(images)


def _colors(mesh: Mesh) -> NDArray[np.uint8]:
    return mesh.colors if mesh.colors is not None else np.full(mesh.points_mm.shape, 200, dtype=np.uint8)

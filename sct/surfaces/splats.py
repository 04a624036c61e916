"""A picture of a mesh without any graphics library: its vertices as shaded patches, nearest on top."""

import numpy as np
from numpy.typing import NDArray

from sct.surfaces.mesh import Mesh

__all__ = ["splat_view"]

MARGIN = 0.05  # of the picture's side, all round
AMBIENT = 0.35  # brightness of a surface seen edge on; 1 when seen straight
LARGEST_PATCH_PX = 15


def splat_view(
    mesh: Mesh, towards_viewer: tuple[float, float, float], up: tuple[float, float, float], size_px: int
) -> NDArray[np.uint8]:
    """Parallel projection of a finely triangulated mesh, lit from the eye.

    Every vertex that faces the viewer is drawn as a square as large as its share of the surface, farthest first.

    Args:
        mesh: Its colours are drawn; light gray without colours.
        towards_viewer: Unit vector from the mesh to the eye.
        up: Unit vector that points up in the picture.
        size_px: Side of the picture.

    Returns:
        RGB (size_px, size_px, 3), white background.
    """
    eye, upward = np.asarray(towards_viewer, dtype=np.float64), np.asarray(up, dtype=np.float64)
    rightward = np.cross(upward, eye)
    low, high = mesh.bounds_mm
    pixel_mm = float((high - low).max()) / ((1 - 2 * MARGIN) * size_px)
    facing = mesh.vertex_normals @ eye
    seen = facing > 0
    relative = mesh.points_mm[seen] - (low + high) / 2
    columns = np.rint(size_px / 2 + relative @ rightward / pixel_mm).astype(np.int64)
    rows = np.rint(size_px / 2 - relative @ upward / pixel_mm).astype(np.int64)
    depth = relative @ eye
    colors = np.full(mesh.points_mm.shape, 200, dtype=np.uint8) if mesh.colors is None else mesh.colors
    shaded = colors[seen] * (AMBIENT + (1 - AMBIENT) * facing[seen])[:, None]

    side_px = 1.5 * float(np.sqrt(np.median(mesh.vertex_areas_mm2))) / pixel_mm
    reach_px = int(np.clip(np.ceil((side_px - 1) / 2), 0, LARGEST_PATCH_PX // 2))
    steps = np.arange(-reach_px, reach_px + 1)
    offsets = [(row, column) for row in steps for column in steps]
    order = np.argsort(depth)
    # All patches of a vertex lie at its depth; where places repeat, numpy keeps the last one assigned: the nearest.
    patch_rows = np.clip(np.stack([rows[order] + row for row, _ in offsets], axis=1), 0, size_px - 1)
    patch_columns = np.clip(np.stack([columns[order] + column for _, column in offsets], axis=1), 0, size_px - 1)
    image = np.full((size_px, size_px, 3), 255, dtype=np.uint8)
    image[patch_rows.ravel(), patch_columns.ravel()] = np.repeat(shaded[order].astype(np.uint8), len(offsets), axis=0)
    return image

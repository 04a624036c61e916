"""A triangle mesh in world millimetres, and what can be read off it without a library."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Mesh", "from_polydata", "to_polydata"]


@dataclass(frozen=True)
class Mesh:
    """Triangles whose corners run counter-clockwise when seen from outside.

    Attributes:
        points_mm: Vertices (V, 3), float64, world RAS mm.
        faces: Vertex indices of the triangles (F, 3), int64.
        colors: Optional RGB of every vertex (V, 3), uint8.
    """

    points_mm: NDArray[np.float64]
    faces: NDArray[np.int64]
    colors: NDArray[np.uint8] | None = None

    @property
    def face_vectors_mm2(self) -> NDArray[np.float64]:
        """Normal of every triangle times its area, shape (F, 3); its length is the area."""
        a, b, c = (self.points_mm[self.faces[:, corner]] for corner in range(3))
        return np.asarray(np.cross(b - a, c - a) / 2)

    @property
    def vertex_areas_mm2(self) -> NDArray[np.float64]:
        """Area that each vertex stands for, shape (V,): a third of its triangles; they add up to the surface."""
        areas = np.linalg.norm(self.face_vectors_mm2, axis=1) / 3
        totals = np.bincount(self.faces.ravel(), weights=np.repeat(areas, 3), minlength=len(self.points_mm))
        return totals.astype(np.float64)

    @property
    def vertex_normals(self) -> NDArray[np.float64]:
        """Unit normals of the vertices (V, 3), outward, area-weighted; zero at a vertex without triangles."""
        normals = np.zeros_like(self.points_mm)
        vectors = self.face_vectors_mm2
        for axis in range(3):
            normals[:, axis] = np.bincount(
                self.faces.ravel(), weights=np.repeat(vectors[:, axis], 3), minlength=len(normals)
            )
        lengths = np.linalg.norm(normals, axis=1, keepdims=True)
        return np.asarray(normals / np.where(lengths > 0, lengths, 1))

    @property
    def bounds_mm(self) -> NDArray[np.float64]:
        """Lowest and highest corner of the bounding box, shape (2, 3)."""
        return np.stack([self.points_mm.min(axis=0), self.points_mm.max(axis=0)])


def to_polydata(mesh: Mesh) -> Any:
    """The mesh as pyvista.PolyData; the colours go along as the point array "RGB"."""
    import pyvista

    surface: Any = pyvista.PolyData.from_regular_faces(mesh.points_mm, mesh.faces.astype(int))
    if mesh.colors is not None:
        surface.point_data["RGB"] = mesh.colors
    return surface


def from_polydata(surface: Any) -> Mesh:
    """A pyvista.PolyData of triangles as a mesh; the point array "RGB", if any, becomes the colours."""
    colors = surface.point_data.get("RGB")
    return Mesh(
        points_mm=np.asarray(surface.points, dtype=np.float64),
        faces=np.asarray(surface.regular_faces, dtype=np.int64),
        colors=None if colors is None else np.asarray(colors[:, :3], dtype=np.uint8),
    )

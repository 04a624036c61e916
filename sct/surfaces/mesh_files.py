"""Meshes as STL and PLY files."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from sct.core.errors import SctError
from sct.core.files import atomic_path
from sct.surfaces.mesh import Mesh, from_polydata

__all__ = ["read_mesh", "write_mesh"]

# Programs that know the two conventions (3D Slicer) read the axes from this note.
AXES_NOTE = "SPACE=RAS"


def write_mesh(mesh: Mesh, path: Path) -> None:
    """Write a mesh in world RAS mm, atomically: `.stl` (binary, for printers) or `.ply` (binary, keeps colours).

    Raises:
        SctError: The suffix is unknown or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in (".stl", ".ply"):
        raise SctError(f"{path}: unknown mesh type; a mesh's name ends in .stl or .ply")
    with atomic_path(path) as temporary:
        temporary.write_bytes(_stl_bytes(mesh) if suffix == ".stl" else _ply_bytes(mesh))


def read_mesh(path: Path) -> Mesh:
    """Read a mesh file; corners of an STL that lie at the same place become one vertex.

    Raises:
        SctError: The file is missing or not a mesh of triangles.
    """
    import pyvista

    if not path.exists():
        raise SctError(f"{path}: no such file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what VTK says of a broken file; the error below says it in a line
            surface: Any = pyvista.read(path)
        if path.suffix.lower() == ".stl":
            surface = surface.clean(tolerance=0.0)
        mesh = from_polydata(surface)
    except Exception as error:
        raise SctError(f"{path}: not readable as a mesh of triangles ({error})") from error
    if not len(mesh.faces):
        raise SctError(f"{path}: holds no triangles; give an STL or PLY file")
    return mesh


def _stl_bytes(mesh: Mesh) -> bytes:
    vectors = mesh.face_vectors_mm2
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    triangles = np.zeros(len(mesh.faces), dtype=record)
    triangles["normal"] = vectors / np.where(lengths > 0, lengths, 1)
    triangles["corners"] = mesh.points_mm[mesh.faces]
    header = f"bone surface in mm {AXES_NOTE}".encode().ljust(80)
    return header + len(triangles).to_bytes(4, "little") + triangles.tobytes()


def _ply_bytes(mesh: Mesh) -> bytes:
    fields: list[tuple[str, str] | tuple[str, str, int]] = [("point", "<f4", 3)]
    header = ["ply", "format binary_little_endian 1.0", f"comment bone surface in mm {AXES_NOTE}"]
    header += [f"element vertex {len(mesh.points_mm)}", *(f"property float {axis}" for axis in "xyz")]
    if mesh.colors is not None:
        fields.append(("color", "u1", 3))
        header += [f"property uchar {name}" for name in ("red", "green", "blue")]
    header += [f"element face {len(mesh.faces)}", "property list uchar int vertex_indices", "end_header", ""]
    vertices = np.zeros(len(mesh.points_mm), dtype=np.dtype(fields))
    vertices["point"] = mesh.points_mm
    if mesh.colors is not None:
        vertices["color"] = mesh.colors
    faces = np.zeros(len(mesh.faces), dtype=np.dtype([("count", "u1"), ("corners", "<i4", 3)]))
    faces["count"] = 3
    faces["corners"] = mesh.faces
    return "\n".join(header).encode() + vertices.tobytes() + faces.tobytes()

"""Meshes as STL and PLY files."""

from pathlib import Path

import numpy as np

from sct.core.errors import SctError
from sct.core.files import atomic_path
from sct.surfaces.mesh import Mesh

__all__ = ["write_mesh"]

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

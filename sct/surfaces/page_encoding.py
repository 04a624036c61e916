"""Volumes and meshes as small pieces of text that a web page can carry."""

import base64
import gzip
import struct
from typing import Any

import numpy as np

from sct.core.volume import Volume
from sct.geometry.resample import resample
from sct.surfaces.mesh import Mesh, from_polydata, to_polydata

__all__ = ["LEVELS", "coarser", "mesh_for_page", "mz3_base64", "nifti_base64"]

LEVELS = 256  # steps between the two ends of a layer's display window; values beyond it keep the same step
COMPRESSION = 4  # of 9; the higher ones take several times as long for the same size


def nifti_base64(volume: Volume, step: float) -> str:
    """A volume as gzipped int16 NIfTI in base64, rounded to multiples of `step`."""
    import nibabel

    data = np.clip(np.rint(np.asarray(volume.data, dtype=np.float64) / step), -32767, 32767).astype(np.int16)
    image_class: Any = nibabel.Nifti1Image
    image = image_class(data, volume.affine)
    image.header.set_slope_inter(step, 0)
    image.set_sform(volume.affine, code="scanner")
    # The page is read by one program only, which takes the sform; a sheared affine has no qform.
    image.set_qform(None, code="unknown")
    return base64.b64encode(gzip.compress(image.to_bytes(), COMPRESSION, mtime=0)).decode()


def coarser(volume: Volume, factor: float) -> Volume:
    """The volume on voxels about `factor` times as large, antialiased; covers the same box."""
    shape = np.maximum(np.rint(np.array(volume.shape) / factor), 1).astype(int)
    scale = np.array(volume.shape) / shape
    to_old = np.diag([*scale, 1.0])
    to_old[:3, 3] = (scale - 1) / 2
    affine = volume.affine @ to_old
    return Volume(resample(volume, shape.tolist(), affine)[0], affine)


def mesh_for_page(mesh: Mesh, max_triangles: int) -> Mesh:
    """The mesh with at most about `max_triangles` triangles; vertices keep their colours."""
    from scipy.spatial import cKDTree

    if len(mesh.faces) <= max_triangles:
        return mesh
    surface: Any = to_polydata(Mesh(mesh.points_mm, mesh.faces))
    fewer = from_polydata(surface.decimate_pro(1 - max_triangles / len(mesh.faces)))
    if mesh.colors is None:
        return fewer
    _, nearest = cKDTree(mesh.points_mm).query(fewer.points_mm, workers=-1)
    return Mesh(fewer.points_mm, fewer.faces, mesh.colors[nearest])


def mz3_base64(mesh: Mesh) -> str:
    """A mesh with its colours as gzipped MZ3 (NiiVue's and Surfice's format) in base64, vertices to 0.01 mm."""
    has_colors = mesh.colors is not None
    magic, has_faces, has_vertices, has_rgba = 23117, 1, 2, 4
    attributes = has_faces | has_vertices | (has_rgba if has_colors else 0)
    parts = [
        struct.pack("<HHIII", magic, attributes, len(mesh.faces), len(mesh.points_mm), 0),
        mesh.faces.astype("<u4").tobytes(),
        np.round(mesh.points_mm, 2).astype("<f4").tobytes(),
    ]
    if mesh.colors is not None:
        rgba = np.full((len(mesh.colors), 4), 255, dtype=np.uint8)
        rgba[:, :3] = mesh.colors
        parts.append(rgba.tobytes())
    return base64.b64encode(gzip.compress(b"".join(parts), COMPRESSION, mtime=0)).decode()

"""Mesh files are read back by an independent library."""

from pathlib import Path

import numpy as np
import pytest
import trimesh
from surface_shapes import shell, solid

from sct.core.errors import SctError
from sct.surfaces.bone import BoneSettings, bone_surface
from sct.surfaces.mesh import Mesh
from sct.surfaces.mesh_files import write_mesh


@pytest.fixture(scope="module")
def mesh() -> Mesh:
    surface = bone_surface(solid(shell(6.0, 10.0)), BoneSettings(), "ct")
    colors = np.random.default_rng(0).integers(0, 256, surface.points_mm.shape).astype(np.uint8)
    return Mesh(surface.points_mm, surface.faces, colors)


@pytest.mark.parametrize("suffix", [".stl", ".ply"])
def test_a_file_holds_the_same_closed_surface(mesh: Mesh, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"bone{suffix}"
    write_mesh(mesh, path)
    other = trimesh.load(path)  # corners of an STL at the same place become one vertex
    expected = trimesh.Trimesh(mesh.points_mm, mesh.faces, process=False)
    assert other.is_watertight
    assert other.is_winding_consistent
    assert other.volume == pytest.approx(expected.volume, rel=1e-5)
    assert len(other.vertices) == len(mesh.points_mm)
    assert len(other.faces) == len(mesh.faces)
    np.testing.assert_allclose(other.bounds, mesh.bounds_mm, atol=1e-5)


def test_ply_keeps_order_and_colours(mesh: Mesh, tmp_path: Path) -> None:
    write_mesh(mesh, tmp_path / "bone.ply")
    other = trimesh.load(tmp_path / "bone.ply", process=False)
    np.testing.assert_array_equal(other.faces, mesh.faces)
    np.testing.assert_allclose(other.vertices, mesh.points_mm, atol=1e-5)
    np.testing.assert_array_equal(other.visual.vertex_colors[:, :3], mesh.colors)


def test_files_say_their_axes(mesh: Mesh, tmp_path: Path) -> None:
    for name in ("bone.stl", "bone.ply"):
        write_mesh(mesh, tmp_path / name)
        assert b"SPACE=RAS" in (tmp_path / name).read_bytes()[:200]


def test_mistakes_are_named(mesh: Mesh, tmp_path: Path) -> None:
    with pytest.raises(SctError, match=r"bone\.obj: unknown mesh type"):
        write_mesh(mesh, tmp_path / "bone.obj")

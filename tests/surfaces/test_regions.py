"""Regions: nearest label, names, mistakes."""

from pathlib import Path

import numpy as np
import pytest
from surface_shapes import grid_affine, solid, sphere

from sct.core.errors import SctError
from sct.core.volume import Volume
from sct.surfaces.bone import BoneSettings, bone_surface
from sct.surfaces.comparison import SurfaceSettings, compare, report
from sct.surfaces.mesh import Mesh
from sct.surfaces.regions import UNLABELLED, read_region_names, regions_of_vertices


def halves() -> Volume:
    """Label 1 below z = 0 mm, 2 from there on, on a grid of its own."""
    labels = np.ones((11, 11, 11))
    labels[:, :, 5:] = 2
    return Volume(labels, grid_affine(4.0))


def test_every_vertex_takes_the_nearest_label() -> None:
    mesh = bone_surface(solid(sphere(12.0)), BoneSettings(), "ct")
    regions = regions_of_vertices(mesh, halves(), {1: "lower"})
    assert list(regions) == ["lower", "label-2"]
    height = mesh.points_mm[:, 2]
    np.testing.assert_array_equal(regions["lower"][abs(height + 2) > 1e-6], (height < -2)[abs(height + 2) > 1e-6])


def test_vertices_far_from_any_label_are_unlabelled() -> None:
    labels = np.zeros((41, 41, 41))
    labels[20, 20, 20] = 7  # its corners lie 0.87 mm from its centre
    points = np.array([[0.0, 0, 0], [3.8, 0, 0], [3.9, 0, 0]])
    regions = regions_of_vertices(Mesh(points, np.array([[0, 1, 2]])), Volume(labels, grid_affine()), {})
    assert regions["label-7"].tolist() == [True, True, False]
    assert regions[UNLABELLED].tolist() == [False, False, True]


def test_labels_of_one_name_are_one_region() -> None:
    mesh = bone_surface(solid(sphere(12.0)), BoneSettings(), "ct")
    regions = regions_of_vertices(mesh, halves(), {1: "skull", 2: "skull"})
    assert list(regions) == ["skull"]
    assert regions["skull"].all()


def test_a_shift_of_one_half_shows_in_its_region_only() -> None:
    reference, test = solid(sphere(12.0)), solid(sphere(13.0))
    data = np.where(np.arange(41) < 20, reference.data, test.data)
    comparison = compare(reference, Volume(data, test.affine), SurfaceSettings(), halves(), {1: "lower", 2: "upper"})
    regions = report(comparison, SurfaceSettings())["reference_to_test"]["regions"]
    assert regions["lower"]["per_vertex"]["median_mm"] == pytest.approx(0, abs=0.05)
    assert regions["upper"]["per_vertex"]["median_mm"] == pytest.approx(1, abs=0.05)
    n_all = report(comparison, SurfaceSettings())["reference_to_test"]["per_vertex"]["n_vertices"]
    assert sum(region["per_vertex"]["n_vertices"] for region in regions.values()) == n_all


def test_names_come_from_the_table_beside_the_label_map(tmp_path: Path) -> None:
    (tmp_path / "parts.tsv").write_text("index\tname\tcolor\n1\tmandible\tred\n2\tcalvaria\tblue\n")
    assert read_region_names(tmp_path / "parts.nii.gz", None) == {1: "mandible", 2: "calvaria"}
    assert read_region_names(tmp_path / "other.nii.gz", None) == {}
    assert read_region_names(tmp_path / "other.nii.gz", tmp_path / "parts.tsv") == {1: "mandible", 2: "calvaria"}


def test_mistakes_are_named(tmp_path: Path) -> None:
    mesh = Mesh(np.zeros((3, 3)), np.array([[0, 1, 2]]))
    with pytest.raises(SctError, match="not whole numbers"):
        regions_of_vertices(mesh, Volume(np.full((2, 2, 2), 0.5), np.eye(4)), {})
    with pytest.raises(SctError, match="holds no label"):
        regions_of_vertices(mesh, Volume(np.zeros((2, 2, 2)), np.eye(4)), {})
    (tmp_path / "parts.tsv").write_text("number\tname\n1\tmandible\n")
    with pytest.raises(SctError, match=r"parts\.tsv: not a table of region names"):
        read_region_names(tmp_path / "l.nii.gz", tmp_path / "parts.tsv")
    with pytest.raises(SctError, match=r"none\.tsv: cannot be read"):
        read_region_names(tmp_path / "l.nii.gz", tmp_path / "none.tsv")

"""Deviations with known answers, and against trimesh."""

import numpy as np
import pytest
import trimesh
from scipy import ndimage
from surface_shapes import box, grid_affine, shell, solid, sphere

from sct.core.errors import SctError
from sct.core.volume import Volume
from sct.surfaces.bone import BoneSettings, bone_surface
from sct.surfaces.comparison import Comparison, SurfaceSettings, compare, report
from sct.surfaces.deviation import Deviation, agreement, summary
from sct.surfaces.distance import signed_distance_mm


def compared(reference: Volume, test: Volume) -> Comparison:
    return compare(reference, test, SurfaceSettings())


@pytest.mark.parametrize("growth_mm", [-2.5, -0.7, 0.7, 2.5])
def test_concentric_spheres_deviate_by_the_difference_of_radii_with_its_sign(growth_mm: float) -> None:
    comparison = compared(solid(sphere(12.0)), solid(sphere(12.0 + growth_mm)))
    # Marching cubes cuts a sphere's curvature by a few hundredths of a mm at 1 mm.
    np.testing.assert_allclose(comparison.of_reference.values_mm, growth_mm, atol=0.06)
    np.testing.assert_allclose(comparison.of_test.values_mm, growth_mm, atol=0.06)


def test_a_shifted_sphere_deviates_by_the_closed_form() -> None:
    radius, shift = 12.0, 3.0
    comparison = compared(solid(sphere(radius)), solid(sphere(radius, (shift, 0, 0))))
    points = comparison.reference.points_mm
    expected = radius - np.linalg.norm(points - [shift, 0, 0], axis=1)
    np.testing.assert_allclose(comparison.of_reference.values_mm, expected, atol=0.06)
    figures = summary(comparison.of_reference, 2.0)
    # cos of the angle to the shift is uniform on a sphere: the mean of R - sqrt(R^2 + s^2 - 2 R s c) is -s^2 / 3R.
    assert figures["area_weighted"]["mean_mm"] == pytest.approx(-(shift**2) / (3 * radius), abs=0.03)
    assert figures["area_weighted"]["min_mm"] == pytest.approx(-shift, abs=0.05)
    assert figures["area_weighted"]["max_mm"] == pytest.approx(shift, abs=0.05)


def test_a_shell_grown_inward_and_outward_is_positive_on_both_faces() -> None:
    comparison = compared(solid(shell(10.0, 14.0)), solid(shell(9.0, 15.0)))
    np.testing.assert_allclose(comparison.of_reference.values_mm, 1.0, atol=0.06)


def test_boxes_on_different_grids_are_compared_in_the_world() -> None:
    finer = grid_affine(0.7, (-20, -20, -20))
    finer[:, 0] *= -1
    finer[0, 3] = 20.0
    reference = solid(box((8.05, 8.05, 8.05)))
    test = solid(box((8.05, 8.05, 9.55)), (58, 58, 58), finer)
    comparison = compared(reference, test)
    points = comparison.reference.points_mm
    top = (points[:, 2] > 8.04) & (np.abs(points[:, :2]).max(axis=1) < 6)
    side = (points[:, 0] > 8.04) & (np.abs(points[:, 1:]).max(axis=1) < 6)
    np.testing.assert_allclose(comparison.of_reference.values_mm[top], 1.5, atol=1e-3)
    np.testing.assert_allclose(comparison.of_reference.values_mm[side], 0.0, atol=1e-3)


def test_missing_bone_shows_from_the_reference_and_extra_bone_from_the_test() -> None:
    whole, cut = solid(shell(10.0, 14.0)), solid(shell(10.0, 14.0))
    data = cut.data.copy()
    data[14:27, 14:27, 21:] = -1000
    cut = Volume(data, cut.affine)
    missing = report(compared(whole, cut), SurfaceSettings())
    assert missing["reference_to_test"]["per_vertex"]["min_mm"] < -5
    assert missing["reference_to_test"]["per_vertex"]["share_within_tolerance"] < 0.95
    assert missing["test_to_reference"]["per_vertex"]["min_mm"] > -2.5  # what is left lies in the reference's bone
    extra = report(compared(cut, whole), SurfaceSettings())
    assert extra["test_to_reference"]["per_vertex"]["max_mm"] > 5
    # The same two surfaces with the roles changed: the sign turns, the rest stays.
    np.testing.assert_allclose(
        extra["test_to_reference"]["per_vertex"]["mean_mm"], -missing["reference_to_test"]["per_vertex"]["mean_mm"]
    )
    assert extra["both_directions"] == pytest.approx(missing["both_directions"])


def test_equal_surfaces_do_not_deviate() -> None:
    volume = solid(shell(10.0, 14.0))
    figures = report(compared(volume, volume), SurfaceSettings())
    assert figures["reference_to_test"]["per_vertex"]["range_mm"] == pytest.approx(0, abs=1e-9)
    assert figures["both_directions"]["surface_dice"] == 1.0


def test_distances_and_signs_agree_with_trimesh_on_a_ragged_surface() -> None:
    generator = np.random.default_rng(3)
    noise = ndimage.gaussian_filter(generator.normal(size=(18, 18, 18)), 1.2)
    volume = Volume(np.round(noise / noise.std() * 400 + 200).astype(np.float32), grid_affine(1.3))
    mesh = bone_surface(volume, BoneSettings(min_part_mm3=0), "noise")
    points = generator.uniform(mesh.bounds_mm[0] - 4, mesh.bounds_mm[1] + 4, size=(1500, 3))
    ours = signed_distance_mm(points, mesh)
    other = trimesh.Trimesh(mesh.points_mm, mesh.faces, process=False)
    np.testing.assert_allclose(ours, -trimesh.proximity.signed_distance(other, points), atol=1e-6)
    np.testing.assert_array_equal(ours < 0, other.contains(points))


def test_no_points_have_no_distances() -> None:
    mesh = bone_surface(solid(sphere(8.0)), BoneSettings(), "ct")
    assert signed_distance_mm(np.zeros((0, 3)), mesh).shape == (0,)


def test_vertices_on_cut_faces_and_outside_the_other_volume_do_not_count() -> None:
    whole = solid(sphere(12.0))
    half = Volume(whole.data[:, :, 20:], grid_affine(origin_mm=(-20.0, -20.0, 0.0)))  # from z = 0 mm upwards
    comparison = compared(whole, half)
    points = comparison.reference.points_mm
    np.testing.assert_array_equal(comparison.of_reference.compared, points[:, 2] >= -1e-3)
    assert comparison.of_reference.n_outside == (points[:, 2] < -1e-3).sum()
    assert comparison.of_test.n_cut_face > 0
    figures = report(comparison, SurfaceSettings())
    assert figures["reference_to_test"]["per_vertex"]["range_mm"] < 0.05
    assert figures["test_to_reference"]["per_vertex"]["range_mm"] < 0.05


def test_volumes_that_do_not_overlap_are_refused() -> None:
    far = solid(sphere(12.0, (500, 0, 0)), affine=grid_affine(origin_mm=(480.0, -20.0, -20.0)))
    with pytest.raises(SctError, match="no bone of the first lies inside the second"):
        compared(solid(sphere(12.0)), far)


def deviation(values: list[float], areas: list[float], counted: list[bool] | None = None) -> Deviation:
    n = len(values)
    return Deviation(np.array(values, float), np.array(areas, float), np.array(counted or [True] * n, bool), 0, 0)


def test_figures_per_vertex_are_numpys_and_area_weights_are_repetitions() -> None:
    values = np.random.default_rng(0).normal(0.3, 2, 400)
    figures = summary(deviation(list(values), [1.0] * 400), 2.0)["per_vertex"]
    assert figures["mean_mm"] == pytest.approx(values.mean())
    assert figures["sd_mm"] == pytest.approx(values.std())
    assert figures["range_mm"] == pytest.approx(np.ptp(values))
    quantiles = np.quantile(values, [0.25, 0.75], method="hazen")
    assert [figures["q1_mm"], figures["q3_mm"]] == pytest.approx(list(quantiles))
    assert figures["abs_p95_mm"] == pytest.approx(np.quantile(abs(values), 0.95, method="hazen"))
    assert figures["share_within_tolerance"] == pytest.approx((abs(values) <= 2).mean())
    weighted = summary(deviation([1.0, -3.0], [3.0, 1.0]), 2.0)["area_weighted"]
    repeated = summary(deviation([1.0, 1.0, 1.0, -3.0], [1.0] * 4), 2.0)["per_vertex"]
    for key in ("mean_mm", "sd_mm", "mean_abs_mm", "share_within_tolerance"):
        assert weighted[key] == pytest.approx(repeated[key])


def test_the_tolerance_itself_is_within_and_what_was_not_compared_is_out() -> None:
    figures = summary(deviation([2.0, -2.0, 2.01, 99.0], [1.0] * 4, [True, True, True, False]), 2.0)["per_vertex"]
    assert figures["share_within_tolerance"] == pytest.approx(2 / 3)
    assert figures["n_vertices"] == 3


def test_nothing_compared_gives_null_figures() -> None:
    nothing = deviation([1.0], [1.0], [False])
    figures = summary(nothing, 2.0)
    assert figures["per_vertex"]["mean_mm"] is None
    assert figures["per_vertex"]["n_vertices"] == 0
    assert agreement(nothing, nothing, 2.0)["surface_dice"] is None

"""What is printed is closed, whatever was done to it; checks agree with an independent library."""

import numpy as np
import pytest
import trimesh
from scipy import ndimage
from surface_shapes import grid_affine, shell, solid, sphere, union

from sct.core.errors import SctError
from sct.core.volume import Volume
from sct.surfaces.bone import BoneSettings, bone_surface
from sct.surfaces.mesh import Mesh
from sct.surfaces.pinches import split_pinches
from sct.surfaces.printing import check_for_print, prepare_for_print


def ragged_bone() -> Mesh:
    generator = np.random.default_rng(5)
    noise = ndimage.gaussian_filter(generator.normal(size=(28, 28, 28)), 1.1)
    volume = Volume((noise / noise.std() * 300 + 250).astype(np.float32), grid_affine())
    return bone_surface(volume, BoneSettings(min_part_mm3=20), "noise")


@pytest.mark.parametrize(("smooth", "decimate"), [(True, 0.0), (False, 0.5), (False, 0.9), (True, 0.7)])
def test_smoothed_and_decimated_bone_stays_closed(smooth: bool, decimate: float) -> None:
    mesh = ragged_bone()
    printable = prepare_for_print(mesh, smooth, decimate)
    merged = trimesh.Trimesh(printable.points_mm.astype(np.float32), printable.faces, process=True)
    assert merged.is_watertight
    assert merged.is_winding_consistent
    assert len(printable.faces) <= (1 - 0.85 * decimate) * len(mesh.faces)


def test_smoothing_keeps_the_volume_and_takes_the_steps() -> None:
    ball = solid(sphere(14.0))
    steps = bone_surface(Volume(np.where(ball.data >= 300, 1000.0, -1000.0), ball.affine), BoneSettings(), "ct")
    smooth = prepare_for_print(steps, smooth=True, decimate=0.0)
    volumes = [check_for_print(mesh)["volume_mm3"] for mesh in (steps, smooth)]
    assert volumes[1] == pytest.approx(volumes[0], rel=0.01)
    rough, even = (np.linalg.norm(mesh.points_mm, axis=1).std() for mesh in (steps, smooth))
    assert even < 0.7 * rough


def test_checks_agree_with_trimesh() -> None:
    mesh = ragged_bone()
    other = trimesh.Trimesh(mesh.points_mm, mesh.faces, process=False)
    checks = check_for_print(mesh)
    assert checks["watertight"] is True
    assert checks["consistent_winding"] is True
    assert checks["n_shells"] == other.body_count
    assert checks["volume_mm3"] == pytest.approx(other.volume)
    assert checks["area_mm2"] == pytest.approx(other.area)
    np.testing.assert_allclose(checks["bounding_box_mm"], other.bounds)


def test_a_hole_a_flipped_triangle_and_a_double_triangle_are_seen() -> None:
    mesh = bone_surface(solid(sphere(8.0)), BoneSettings(), "ct")
    flipped = mesh.faces.copy()
    flipped[7] = flipped[7, ::-1]
    assert not check_for_print(Mesh(mesh.points_mm, mesh.faces[1:]))["watertight"]
    assert not check_for_print(Mesh(mesh.points_mm, flipped))["consistent_winding"]
    assert not check_for_print(Mesh(mesh.points_mm, np.concatenate([mesh.faces, mesh.faces[:1]])))["watertight"]


def test_shells_cavities_and_walls_of_a_hollow_ball_and_a_ball() -> None:
    volume = solid(union(shell(8.0, 11.0, (-6.0, 0, 0)), sphere(4.0, (14.0, 0, 0))))
    checks = check_for_print(bone_surface(volume, BoneSettings(), "ct"))
    assert (checks["n_shells"], checks["n_cavities"]) == (3, 1)
    assert checks["volume_mm3"] == pytest.approx(4 / 3 * np.pi * (11**3 - 8**3 + 4**3), rel=0.02)
    assert checks["wall_mm"]["p5"] == pytest.approx(3.0, abs=0.2)


def test_two_solids_that_touch_at_an_edge_are_parted() -> None:
    # Two tetrahedra share the edge 0-1: four triangles meet there.
    points = np.array([[0, 0, 0], [0, 0, 1], [1, 0.5, 0.5], [1, -0.5, 0.5], [-1, 0.5, 0.5], [-1, -0.5, 0.5]], float)
    one = np.array([[0, 3, 2], [1, 2, 3], [0, 1, 3], [0, 2, 1]])
    other = np.array([[0, 4, 5], [1, 5, 4], [0, 5, 1], [0, 1, 4]])
    touching = Mesh(points, np.concatenate([one, other]))
    assert not check_for_print(touching)["watertight"]
    parted = split_pinches(touching)
    solid_mesh = trimesh.Trimesh(parted.points_mm, parted.faces, process=True)
    assert solid_mesh.is_watertight
    assert solid_mesh.body_count == 2
    assert len(parted.points_mm) == 8


def test_a_manifold_is_left_alone() -> None:
    mesh = bone_surface(solid(sphere(8.0)), BoneSettings(), "ct")
    assert split_pinches(mesh) is mesh


def test_too_much_decimation_is_refused() -> None:
    mesh = bone_surface(solid(sphere(8.0)), BoneSettings(), "ct")
    with pytest.raises(SctError, match=r"--decimate 0.95: not a share"):
        prepare_for_print(mesh, smooth=False, decimate=0.95)

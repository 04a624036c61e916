"""Bone surfaces: closed forms for place and volume, an independent library for closedness."""

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from surface_shapes import box, grid_affine, shell, solid, sphere, union

from sct.core.errors import SctError
from sct.core.volume import Volume
from sct.surfaces.bone import BoneSettings, bone_surface
from sct.surfaces.mesh import Mesh


def as_trimesh(mesh: Mesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.points_mm, mesh.faces, process=False)


def closed(mesh: Mesh) -> bool:
    solid_mesh = as_trimesh(mesh)
    return bool(solid_mesh.is_watertight and solid_mesh.is_winding_consistent)


def test_a_sphere_lies_where_hu_equals_the_threshold() -> None:
    mesh = bone_surface(solid(sphere(12.0)), BoneSettings(), "ct")
    radii = np.linalg.norm(mesh.points_mm, axis=1)
    assert abs(radii - 12.0).max() < 0.03
    assert as_trimesh(mesh).volume == pytest.approx(4 / 3 * np.pi * 12.0**3, rel=0.01)
    assert closed(mesh)


def test_a_box_is_exact_on_its_faces() -> None:
    mesh = bone_surface(solid(box((7.3, 5.6, 9.1))), BoneSettings(), "ct")
    np.testing.assert_allclose(mesh.bounds_mm, [[-7.3, -5.6, -9.1], [7.3, 5.6, 9.1]], atol=1e-4)


@given(seed=st.integers(0, 2**32 - 1), flip=st.booleans(), shear=st.floats(-0.3, 0.3))
@settings(max_examples=25, deadline=None)
def test_any_bone_on_any_grid_gives_a_closed_manifold_with_outward_normals(seed: int, flip: bool, shear: float) -> None:
    generator = np.random.default_rng(seed)
    # Whole numbers hit the threshold exactly, and noise touches the border and itself in every way.
    noise = ndimage.gaussian_filter(generator.normal(size=(12, 13, 11)), generator.uniform(0, 1.5))
    affine = grid_affine(0.8)
    affine[0, 1] = shear
    affine[:, 0] *= -1 if flip else 1
    volume = Volume(np.round(noise / noise.std() * 50 + 300).astype(np.float32), affine)
    mesh = bone_surface(volume, BoneSettings(min_part_mm3=0), "noise")
    assert closed(mesh)
    assert as_trimesh(mesh).volume > 0
    merged = trimesh.Trimesh(mesh.points_mm.astype(np.float32), mesh.faces, process=True)
    assert merged.is_watertight, "vertices fall together in a file"


def test_bone_that_reaches_the_border_is_closed_half_a_voxel_outside() -> None:
    volume = Volume(np.full((6, 5, 4), 1000, dtype=np.int16), np.diag([2.0, 1.0, 3.0, 1.0]))
    mesh = bone_surface(volume, BoneSettings(min_part_mm3=0), "ct")
    assert closed(mesh)
    np.testing.assert_allclose(mesh.bounds_mm, [[-1, -0.5, -1.5], [11, 4.5, 10.5]], atol=1e-5)


def test_specks_are_removed_by_their_volume_and_bone_stays() -> None:
    volume = solid(union(sphere(9.0), sphere(2.0, (15.0, 0, 0))))
    speck_mm3 = 4 / 3 * np.pi * 8
    kept = bone_surface(volume, BoneSettings(min_part_mm3=0.5 * speck_mm3), "ct")
    cleaned = bone_surface(volume, BoneSettings(min_part_mm3=2 * speck_mm3), "ct")
    assert as_trimesh(kept).body_count == 2
    assert as_trimesh(cleaned).body_count == 1
    alone = bone_surface(solid(sphere(9.0)), BoneSettings(), "ct")
    assert as_trimesh(cleaned).volume == pytest.approx(as_trimesh(alone).volume, rel=1e-6)


def test_cavities_are_filled_up_to_the_volume_asked_for() -> None:
    volume = solid(shell(5.0, 12.0))
    cavity_mm3 = 4 / 3 * np.pi * 5.0**3
    hollow = as_trimesh(bone_surface(volume, BoneSettings(fill_cavity_mm3=0.5 * cavity_mm3), "ct"))
    filled = as_trimesh(bone_surface(volume, BoneSettings(fill_cavity_mm3=1.5 * cavity_mm3), "ct"))
    assert hollow.body_count == 2
    assert filled.body_count == 1
    assert filled.volume - hollow.volume == pytest.approx(cavity_mm3, rel=0.05)


def test_a_cavity_open_to_the_border_is_not_filled() -> None:
    data = np.full((9, 9, 9), 1000.0)
    data[3:6, 3:6, 3:] = 0
    volume = Volume(data, np.eye(4))
    asked = bone_surface(volume, BoneSettings(min_part_mm3=0, fill_cavity_mm3=1e6), "ct")
    plain = bone_surface(volume, BoneSettings(min_part_mm3=0), "ct")
    np.testing.assert_array_equal(asked.points_mm, plain.points_mm)


def test_no_bone_and_only_specks_are_refused_by_name() -> None:
    with pytest.raises(SctError, match=r"head\.nii: no bone: no voxel reaches 300 HU \(the highest is 40\)"):
        bone_surface(Volume(np.full((4, 4, 4), 40.0), np.eye(4)), BoneSettings(), "head.nii")
    with pytest.raises(SctError, match=r"head\.nii: no bone: 1 parts .* smaller than 100 mm3"):
        bone_surface(solid(sphere(2.0)), BoneSettings(), "head.nii")

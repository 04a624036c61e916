import nibabel
import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from sct.core.volume import Volume
from sct.geometry.resample import isotropic_grid, resample
from sct.io.itk import volume_to_image


def affine_of(angles_deg=(0, 0, 0), spacing=(1, 1, 1), origin=(0, 0, 0)):
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", angles_deg, degrees=True).as_matrix() * spacing
    affine[:3, 3] = origin
    return affine


def world_of(shape, affine):
    return affine[:3, :3] @ np.indices(shape).reshape(3, -1) + affine[:3, 3:]


def ramp_on(shape, affine, slope=(0.3, -0.7, 1.1)):
    """A field that is linear in the world, sampled on a grid."""
    return (np.array(slope) @ world_of(shape, affine) + 5).reshape(shape).astype(np.float32)


GRIDS = {
    "identity": affine_of(),
    "shifted": affine_of(origin=(0.3, -0.2, 0.4)),
    "finer": affine_of(spacing=(0.5, 0.7, 0.9), origin=(2, 2, 2)),
    "flipped": affine_of() @ np.array([[0, 1, 0, 1.5], [-1, 0, 0, 14], [0, 0, -1, 15.25], [0, 0, 0, 1]]),
    "oblique": affine_of((10, -20, 30), (0.8, 0.8, 0.8), (3, 4, 2)),
    "coarser": affine_of(spacing=(2, 1, 1.5), origin=(1, 1, 1)),
    "oblique, coarser": affine_of((10, -20, 30), (2, 2, 2), (3, 4, 2)),
}


@pytest.mark.parametrize("name", GRIDS)
def test_a_linear_ramp_is_reproduced(name):
    source = Volume(ramp_on((18, 17, 19), affine_of()), affine_of())
    shape, affine = (9, 10, 8), GRIDS[name]
    values, inside = resample(source, shape, affine, fill=-99)
    index = world_of(shape, affine).reshape(3, *shape)
    # Away from the edge by the antialiasing kernel; the kernel is symmetric, so a ramp passes it unchanged.
    margin = 4 if "coarser" in name else 0
    deep = np.all((index >= margin) & (index <= np.array(source.shape)[:, None, None, None] - 1 - margin), axis=0)
    assert deep.sum() > 20
    np.testing.assert_allclose(values[deep], ramp_on(shape, affine)[deep], atol=2e-5)
    edges = np.all((index >= -0.5 - 2e-3) & (index <= np.array(source.shape)[:, None, None, None] - 0.5 + 2e-3), axis=0)
    np.testing.assert_array_equal(inside, edges)
    assert np.all(values[~inside] == -99)


@pytest.mark.parametrize(("order", "interpolator"), [(1, SimpleITK.sitkLinear), (0, SimpleITK.sitkNearestNeighbor)])
@pytest.mark.parametrize("name", ["shifted", "finer", "flipped", "oblique"])
def test_agrees_with_simpleitk(name, order, interpolator):
    data = np.random.default_rng(1).normal(size=(12, 13, 14)).astype(np.float32)
    source = Volume(data, affine_of((5, 6, -7), (1, 1.2, 0.9), (3, 2, 1)))
    shape, affine = (11, 9, 10), source.affine @ GRIDS[name]
    values, inside = resample(source, shape, affine, order=order, fill=-9)
    grid = volume_to_image(Volume(np.zeros(shape, np.float32), affine))
    expected = SimpleITK.GetArrayFromImage(
        SimpleITK.Resample(volume_to_image(source), grid, SimpleITK.Transform(), interpolator, -9.0)
    ).T
    at = (np.linalg.inv(source.affine) @ affine)[:3] @ np.vstack(
        [np.indices(shape).reshape(3, -1), np.ones(values.size)]
    )
    unequivocal = (np.abs(at - np.floor(at) - 0.5) > 1e-4).all(axis=0).reshape(shape)  # nearest has no ties here
    np.testing.assert_array_equal(inside[unequivocal], (expected != -9)[unequivocal])
    np.testing.assert_allclose(values[unequivocal], expected[unequivocal], atol=2e-5)


def test_antialiasing_keeps_the_mean_and_removes_what_the_grid_cannot_hold():
    x = np.arange(64)
    data = np.broadcast_to(10 + np.cos(np.pi * x)[:, None, None], (64, 6, 6)).astype(np.float32)  # +-1, each voxel
    values, _ = resample(Volume(data, np.eye(4)), (20, 6, 6), affine_of(spacing=(3, 1, 1), origin=(2, 0, 0)))
    assert np.abs(values - 10).max() < 0.05
    nearest, _ = resample(Volume(data, np.eye(4)), (20, 6, 6), affine_of(spacing=(3, 1, 1), origin=(2, 0, 0)), order=0)
    assert np.abs(nearest - 10).min() == 1


def test_antialiasing_does_not_depend_on_the_path_taken():
    """Grids that are parallel and grids that are barely not: the same smoothing, other interpolation code."""
    data = np.random.default_rng(2).normal(size=(30, 30, 30)).astype(np.float32)
    source = Volume(data, np.eye(4))
    parallel, _ = resample(source, (12, 12, 12), affine_of(spacing=(2, 2, 2), origin=(2, 2, 2)))
    oblique, _ = resample(source, (12, 12, 12), affine_of((1e-4, 0, 0), (2, 2, 2), (2, 2, 2)))
    np.testing.assert_allclose(parallel, oblique, atol=1e-3)


@pytest.mark.parametrize("codes", ["RAS", "LPS", "PIR", "SAL", "ILA", "ASR"])
def test_flips_and_permutations_are_copied_bit_by_bit(codes):
    data = np.random.default_rng(3).normal(size=(7, 8, 9)).astype(np.float32)
    ras = Volume(data, affine_of((3, 4, 5), (0.7, 0.8, 0.9), (-9, 8, 7)))
    turn = nibabel.orientations.axcodes2ornt(codes)
    other = nibabel.Nifti1Image(ras.data, ras.affine).as_reoriented(turn)
    source = Volume(np.asarray(other.dataobj), other.affine)
    values, inside = resample(source, ras.shape, ras.affine.astype(np.float32).astype(float))
    np.testing.assert_array_equal(values, data)
    assert inside.all()


@settings(max_examples=40, deadline=None)
@given(
    st.permutations(range(3)),
    st.tuples(*[st.booleans()] * 3),
    st.tuples(*[st.integers(-9, 9)] * 3),
    st.tuples(*[st.integers(1, 9)] * 3),
)
def test_copying_equals_interpolating(permutation, flips, shift, shape):
    data = np.random.default_rng(4).normal(size=(4, 5, 6)).astype(np.float32)
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[:, list(permutation)] * np.where(flips, -1, 1)
    affine[:3, 3] = shift
    values, inside = resample(Volume(data, np.eye(4)), shape, affine, fill=7)
    index = np.round(world_of(shape, affine)).astype(int)
    expected_inside = np.all((index >= 0) & (index < np.array([[4], [5], [6]])), axis=0)
    expected = np.full(index.shape[1], 7, np.float32)
    expected[expected_inside] = data[tuple(index[:, expected_inside])]
    np.testing.assert_array_equal(values.ravel(), expected)
    np.testing.assert_array_equal(inside.ravel(), expected_inside)


def test_there_and_back_keeps_a_smooth_volume():
    affine = affine_of((15, 10, -20), (1, 1, 1), (5, 5, 5))
    x, y, z = world_of((32, 32, 32), affine)
    field = np.sin(x / 9) + np.cos(y / 8) * np.sin(z / 7)
    source = Volume(field.reshape(32, 32, 32).astype(np.float32), affine)
    shape, grid = isotropic_grid(source, 0.5)
    fine, _ = resample(source, shape, affine_of((0, 0, 0), (1, 1, 1)) @ grid)
    back, inside = resample(Volume(fine, grid), source.shape, affine)
    assert inside.all()
    assert np.abs(back - source.data)[2:-2, 2:-2, 2:-2].max() < 0.02


def test_no_overlap_gives_the_fill_everywhere():
    source = Volume(np.ones((4, 4, 4), np.int16), np.eye(4))
    for angle in (0, 10):
        values, inside = resample(source, (3, 3, 3), affine_of((angle, 0, 0), origin=(100, 0.5, 0)), fill=-500)
        assert not inside.any()
        assert np.all(values == -500)


@pytest.mark.parametrize("codes", ["RAS", "LIP", "SPR"])
@pytest.mark.parametrize("angles", [(0, 0, 0), (8, -12, 20)])
def test_isotropic_grid_covers_the_volume_and_little_more(codes, angles):
    ras = nibabel.Nifti1Image(np.zeros((20, 31, 9), np.float32), affine_of(angles, (0.9, 0.9, 2.5), (-7, 6, 5)))
    other = ras.as_reoriented(nibabel.orientations.axcodes2ornt(codes))
    source = Volume(np.asarray(other.dataobj), other.affine)
    shape, grid = isotropic_grid(source, 1.0)
    assert nibabel.aff2axcodes(grid) == ("R", "A", "S")
    np.testing.assert_allclose(grid[:3, :3].T @ grid[:3, :3], np.eye(3), atol=1e-12)
    np.testing.assert_allclose(grid[:3, :3], ras.affine[:3, :3] / [0.9, 0.9, 2.5], atol=1e-6)
    assert shape == (18, 28, 23)
    centre = source.affine @ [*(np.array(source.shape) - 1) / 2, 1]
    np.testing.assert_allclose(grid @ [*(np.array(shape) - 1) / 2, 1], centre, atol=1e-9)


def test_isotropic_grid_of_an_isotropic_volume_is_its_own():
    affine = affine_of((3, 2, 1), (0.8, 0.8, 0.8), (1, 2, 3)).astype(np.float32).astype(float)
    source = Volume(np.random.default_rng(5).normal(size=(10, 11, 12)).astype(np.float32), affine)
    shape, grid = isotropic_grid(source, 0.8)
    assert shape == source.shape
    np.testing.assert_allclose(grid, affine, atol=1e-5)
    np.testing.assert_array_equal(resample(source, shape, grid)[0], source.data)


def test_isotropic_grid_of_a_sheared_volume_covers_it():
    affine = np.eye(4)
    affine[0, 1] = 0.2
    source = Volume(np.ones((20, 20, 20), np.float32), affine)
    shape, grid = isotropic_grid(source, 1.0)
    np.testing.assert_allclose(grid[:3, :3].T @ grid[:3, :3], np.eye(3), atol=1e-12)
    inverse = np.linalg.inv(grid)
    corners = source.affine @ np.array([[-0.5, 19.5, 19.5], [-0.5, -0.5, 19.5], [-0.5, 19.5, -0.5], [1, 1, 1]])
    assert np.all(inverse @ corners >= -0.5 - 1e-6 - np.array([[0], [0], [0], [9]]))
    assert np.all((inverse @ corners)[:3] <= np.array(shape)[:, None] - 0.5 + 1e-6)


def test_wrong_arguments_are_named():
    source = Volume(np.ones((4, 4, 4), np.float32), np.eye(4))
    with pytest.raises(ValueError, match="order"):
        resample(source, (3, 3, 3), np.eye(4), order=3)
    with pytest.raises(ValueError, match="spacing_mm"):
        isotropic_grid(source, 0.0)

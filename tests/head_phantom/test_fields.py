import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from sct.head_phantom.fields import LatticeField
from sct.head_phantom.grid import Grid, blocks
from sct.head_phantom.randomness import generator
from sct.head_phantom.texture import texture


@pytest.mark.parametrize("periodic", [False, True])
def test_a_field_is_the_b_spline_that_scipy_evaluates(periodic):
    rng = np.random.default_rng(0)
    field = LatticeField(rng.standard_normal((9, 8, 7)).astype(np.float32), (-3.0, 1.0, 0.5), 2.5, periodic)
    axes = [np.linspace(a, b, n) for a, b, n in ((-9, 30, 11), (-2, 22, 9), (-4, 19, 7))]
    place = np.stack(np.meshgrid(*axes, indexing="ij"))
    index = (place - np.array(field.origin_mm).reshape(3, 1, 1, 1)) / field.pitch_mm
    mode = "grid-wrap" if periodic else "grid-constant"
    expected = map_coordinates(field.values, index, order=3, mode=mode, prefilter=False)
    assert field.on_axes(*axes) == pytest.approx(expected, abs=1e-5)


def test_a_field_far_from_its_lattice_is_zero():
    field = LatticeField(np.ones((4, 4, 4), dtype=np.float32), (0.0, 0.0, 0.0), 1.0)
    far = np.array([100.0, 101.0])
    assert not field.on_axes(far, far, far).any()


def test_noise_has_unit_variance():
    field = LatticeField.noise(np.random.default_rng(0), (0, 0, 0), (80, 80, 80), 2.0)
    axis = np.linspace(2, 78, 90)
    assert field.on_axes(axis, axis, axis).std() == pytest.approx(1.0, abs=0.03)


def test_texture_has_the_strength_asked_for_and_is_the_same_at_any_voxel_size():
    grid = Grid((-20.0, -20.0, -20.0), 1.0, (41, 41, 41))
    scales = ((2.0, 1.0), (6.0, 1.0))
    fine = texture(np.full(grid.shape, 7.0, dtype=np.float32), grid, np.random.default_rng(1), scales)
    assert fine.std() == pytest.approx(7.0, rel=0.15)
    half = Grid((-20.0, -20.0, -20.0), 2.0, (21, 21, 21))
    coarse = texture(np.full(half.shape, 7.0, dtype=np.float32), half, np.random.default_rng(1), scales)
    assert coarse == pytest.approx(fine[::2, ::2, ::2], abs=1e-3)
    none = texture(np.zeros(half.shape, dtype=np.float32), half, np.random.default_rng(1), scales)
    assert not none.any()


def test_blocks_tile_an_array_once():
    count = np.zeros((70, 33, 5), dtype=int)
    for block in blocks(count.shape):
        count[block] += 1
    assert np.all(count == 1)


def test_draws_depend_on_each_of_seed_index_and_purpose():
    first = [generator(*key).uniform() for key in ((0, 0, "a"), (1, 0, "a"), (0, 1, "a"), (0, 0, "b"))]
    assert len(set(first)) == 4
    assert generator(0, 0, "a").uniform() == first[0]

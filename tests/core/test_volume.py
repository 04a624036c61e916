"""A volume's voxels keep their place in the world whatever the order of its axes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nibabel.orientations import aff2axcodes

from sct.core.volume import Volume


def _oblique(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = rotation * rng.uniform(0.5, 3.0, 3)
    affine[:3, 3] = rng.uniform(-100, 100, 3)
    return affine


@given(st.integers(0, 10_000))
def test_every_voxel_keeps_its_world_position(seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = rng.permutation(2 * 3 * 4).reshape(2, 3, 4)
    volume = Volume(data, _oblique(seed))
    ras = volume.to_ras()
    for value in (0, 7, 23):
        before = volume.affine @ [*np.argwhere(volume.data == value)[0], 1]
        after = ras.affine @ [*np.argwhere(ras.data == value)[0], 1]
        assert np.allclose(before, after)
    assert sorted(ras.spacing_mm) == pytest.approx(sorted(volume.spacing_mm))


@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, 1), (-1, -1, 1), (1, -1, -1)])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
def test_axes_become_right_anterior_superior(signs: tuple[int, ...], order: tuple[int, ...]) -> None:
    affine = np.eye(4)
    affine[:3, :3] = np.diag(signs)[:, order]
    ras = Volume(np.zeros((3, 4, 5)), affine).to_ras()
    assert aff2axcodes(ras.affine) == ("R", "A", "S")
    assert np.allclose(np.diag(ras.affine)[:3], 1)


def test_ras_stays_as_it_is() -> None:
    volume = Volume(np.arange(24.0).reshape(2, 3, 4), np.diag([1.0, 2.0, 3.0, 1.0]))
    assert np.array_equal(volume.to_ras().data, volume.data)
    assert volume.shape == (2, 3, 4)
    assert volume.spacing_mm.tolist() == [1.0, 2.0, 3.0]


def test_refuses_what_is_no_volume() -> None:
    with pytest.raises(ValueError, match="3 dimensions"):
        Volume(np.zeros((2, 2)), np.eye(4))
    with pytest.raises(ValueError, match="invertible"):
        Volume(np.zeros((2, 2, 2)), np.zeros((4, 4)))

import numpy as np
import pytest

from sct.slices.planes import PLANES, extract, restore


@pytest.fixture
def volume():
    return np.random.default_rng(0).integers(0, 9, (5, 6, 7))


@pytest.mark.parametrize("plane", PLANES)
def test_restore_undoes_extract(volume, plane):
    stack = extract(volume, plane)
    np.testing.assert_array_equal(restore(stack, plane), volume)
    np.testing.assert_array_equal(extract(restore(stack, plane), plane), stack)


@pytest.mark.parametrize("plane", PLANES)
def test_stacks_are_views(volume, plane):
    assert np.shares_memory(extract(volume, plane), volume)


def test_slices_stand_as_radiologists_read_them(volume):
    # RAS+: the last index along x is the right, along y anterior, along z superior
    right, anterior, superior = volume.shape[0] - 1, volume.shape[1] - 1, volume.shape[2] - 1
    axial, coronal, sagittal = (extract(volume, plane) for plane in PLANES)
    assert axial.shape == (7, 6, 5)
    assert coronal.shape == (6, 7, 5)
    assert sagittal.shape == (5, 7, 6)
    assert axial[2, 0, 0] == volume[right, anterior, 2]
    assert coronal[2, 0, 0] == volume[right, 2, superior]
    assert sagittal[2, 0, 0] == volume[2, anterior, superior]
    assert axial[2, 1, 3] == volume[right - 3, anterior - 1, 2]
    assert coronal[2, 1, 3] == volume[right - 3, 2, superior - 1]
    assert sagittal[2, 1, 3] == volume[2, anterior - 3, superior - 1]


def test_unknown_plane_and_wrong_dimensions_are_refused(volume):
    with pytest.raises(ValueError, match="transverse"):
        extract(volume, "transverse")
    with pytest.raises(ValueError, match="not 2"):
        extract(volume[0], "axial")

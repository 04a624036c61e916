import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage import filters, measure, morphology

from sct.slices.mask import _histogram, body_mask, convex_hull, largest_region, otsu

REGIONS = arrays(bool, st.tuples(st.integers(1, 14), st.integers(1, 14)))


def head(noise_hu=20.0, seed=0):
    """A disc of tissue with a ring of bone in air, a separate head rest below."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:64, :72]
    radius = np.hypot(y - 28, x - 36)
    hu = np.full((64, 72), -1000.0)
    hu[radius < 22] = 40
    hu[(radius < 20) & (radius > 16)] = 1200
    hu[57:60, 10:62] = -100
    return hu + rng.normal(0, noise_hu, hu.shape), radius < 22


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, (9, 11), elements=st.floats(-1000, 200, width=32)))
def test_otsu_equals_scikit_image(image):
    threshold, _ = otsu(image)
    assert threshold == pytest.approx(filters.threshold_otsu(image), abs=1e-9)


def test_histogram_puts_edge_values_where_numpy_does():
    values = np.arange(-1000.0, 201.0)  # every 75 HU is an edge of the 256 bins
    counts, edges = _histogram(values, -1000.0, 200.0, 256)
    expected, expected_edges = np.histogram(values, 256)
    np.testing.assert_array_equal(counts, expected)
    np.testing.assert_array_equal(edges, expected_edges)


def test_otsu_of_two_values_parts_them_and_of_one_gives_it():
    threshold, mean = otsu(np.array([0.0, 0.0, 10.0]))
    assert 0 < threshold < 10
    assert mean == pytest.approx(10, abs=0.05)
    assert otsu(np.full((3, 3), 7.0))[0] == 7.0


def test_otsu_on_a_clipped_head_equals_scikit_image_and_parts_air_from_tissue():
    clipped = np.clip(head()[0], -1000, 200)
    threshold, mean = otsu(clipped)
    assert threshold == pytest.approx(filters.threshold_otsu(clipped), abs=1e-9)
    assert -1000 + 2 * 20 < threshold < 40 - 2 * 20
    assert mean > 0


@settings(max_examples=100, deadline=None)
@given(REGIONS)
def test_largest_region_has_the_size_scikit_image_finds(region):
    found = largest_region(region)
    areas = [r.area for r in measure.regionprops(measure.label(region))]
    assert found.sum() == max(areas, default=0)
    assert measure.label(found).max() <= 1
    assert not (found & ~region).any()


@settings(max_examples=150, deadline=None)
@given(REGIONS)
def test_convex_hull_equals_scikit_image_on_pixel_centres(region):
    points = np.argwhere(region)
    if len(points) < 3 or np.linalg.matrix_rank(points - points[0]) < 2:
        return  # scikit-image's hull needs an area
    expected = morphology.convex_hull_image(region, offset_coordinates=False)
    np.testing.assert_array_equal(convex_hull(region), expected)


@settings(max_examples=80, deadline=None)
@given(REGIONS)
def test_convex_hull_holds_its_region_and_is_its_own_hull(region):
    hull = convex_hull(region)
    assert not (region & ~hull).any()
    np.testing.assert_array_equal(convex_hull(hull), hull)
    np.testing.assert_array_equal(convex_hull(region.T).T, hull)
    if region.any():
        default = morphology.convex_hull_image(region)
        assert not (hull & ~default).any()
        assert not (default & ~morphology.dilation(hull, np.ones((3, 3)))).any()


def test_convex_hull_of_a_diagonal_is_the_diagonal():
    np.testing.assert_array_equal(convex_hull(np.eye(6, dtype=bool)), np.eye(6, dtype=bool))


def test_body_mask_is_the_head_without_its_rest():
    hu, disc = head()
    np.testing.assert_array_equal(body_mask(hu), disc)


def test_body_mask_fills_the_airway():
    hu, disc = head()
    hu[24:30, 33:39] = -1000
    np.testing.assert_array_equal(body_mask(hu), disc)


@pytest.mark.parametrize("hu", [np.full((8, 8), -1000.0), np.full((8, 8), 40.0)])
def test_constant_slices_have_no_content(hu):
    assert not body_mask(hu).any()


def test_noise_in_air_and_foam_are_no_content():
    rng = np.random.default_rng(1)
    air = rng.normal(-1000, 30, (64, 64))
    assert not body_mask(air).any()
    air[40:50] += 100  # a foam head rest
    assert not body_mask(air).any()


def test_without_the_clip_dense_bone_would_be_the_foreground():
    hu, disc = head()
    hu[28:40, 20:50] = 3000
    np.testing.assert_array_equal(body_mask(hu), disc)
    assert body_mask(hu, (-1000.0, 4000.0)).sum() < disc.sum()

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.transform import resize as skimage_resize

from sct.slices.frame import Frame, crop, frame_of, paste, resize


def smooth(side, seed=0):
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(np.random.default_rng(seed).normal(size=(side, side)), side / 12).astype(np.float32)


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.data())
def test_frame_contains_and_centres_the_mask_and_is_the_smallest(height, width, data):
    top, left = data.draw(st.integers(0, 40 - height)), data.draw(st.integers(0, 30 - width))
    mask = np.zeros((40, 30), bool)
    mask[top : top + height, left : left + width] = True
    frame = frame_of(mask)
    assert frame.side == max(height, width)
    assert crop(mask, frame, 0).sum() == mask.sum()
    above, below = top - frame.row, frame.row + frame.side - top - height
    before, after = left - frame.col, frame.col + frame.side - left - width
    assert below - above in (0, 1)
    assert after - before in (0, 1)


def test_frame_of_a_given_side_keeps_the_centre():
    mask = np.zeros((20, 20), bool)
    mask[8:12, 6:10] = True
    assert frame_of(mask, side=10) == Frame(5, 3, 10)


def test_an_empty_mask_and_a_side_of_zero_are_refused():
    with pytest.raises(ValueError, match="empty"):
        frame_of(np.zeros((4, 4), bool))
    with pytest.raises(ValueError, match="not 0"):
        Frame(0, 0, 0)


def test_crop_fills_what_lies_outside_the_slice():
    image = np.arange(12.0).reshape(3, 4)
    patch = crop(image, Frame(-1, 2, 4), -5)
    expected = np.full((4, 4), -5.0)
    expected[1:4, 0:2] = image[:, 2:]
    np.testing.assert_array_equal(patch, expected)
    np.testing.assert_array_equal(crop(image, Frame(9, -9, 2), 7), np.full((2, 2), 7.0))


@pytest.mark.parametrize("side", [17, 24, 40, 51])
def test_resize_is_pillows_bilinear_filter(side):
    image = np.random.default_rng(side).normal(size=(side, side)).astype(np.float32)
    expected = np.asarray(Image.fromarray(image).resize((24, 24), Image.Resampling.BILINEAR))
    np.testing.assert_allclose(resize(image, 24), expected, atol=1e-5)


def test_resize_is_near_scikit_image_on_a_smooth_image():
    image = smooth(96)
    expected = skimage_resize(image, (40, 40), order=1, anti_aliasing=True)
    assert np.abs(resize(image, 40) - expected)[2:-2, 2:-2].max() < 0.03 * np.ptp(image)


def test_resize_keeps_constants_and_equal_sizes_and_batches_equal_single_images():
    np.testing.assert_allclose(resize(np.full((30, 30), -500.0), 17), -500.0, rtol=1e-6)
    image = smooth(24)
    np.testing.assert_array_equal(resize(image, 24), image)
    batch = np.stack([smooth(31, seed) for seed in range(6)]).reshape(2, 3, 31, 31)
    one_by_one = np.stack([resize(image, 20) for image in batch.reshape(6, 31, 31)]).reshape(2, 3, 20, 20)
    np.testing.assert_array_equal(resize(batch, 20), one_by_one)


@pytest.mark.parametrize("frame", [Frame(2, 3, 16), Frame(-4, 10, 16), Frame(20, -3, 16)])
def test_paste_undoes_crop_exactly_where_nothing_was_resized(frame):
    image = smooth(30)
    pasted = np.full(image.shape, 9.0)
    paste(crop(image, frame, 0), frame, pasted)
    inside = np.zeros(image.shape, bool)
    inside[max(frame.row, 0) : frame.row + 16, max(frame.col, 0) : frame.col + 16] = True
    np.testing.assert_array_equal(pasted[inside], image[inside])
    assert np.all(pasted[~inside] == 9.0)


def test_paste_undoes_resize_within_interpolation_error():
    image, frame = smooth(60), Frame(4, 6, 48)
    pasted = np.zeros_like(image)
    paste(resize(crop(image, frame, 0), 64), frame, pasted)
    assert np.abs(pasted - image)[6:50, 8:52].max() < 0.02 * np.ptp(image)

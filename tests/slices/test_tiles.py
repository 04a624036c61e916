"""Crops that cover a mask: every pixel once, as few as possible."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sct.slices.frame import Frame, crop, frame_of
from sct.slices.tiles import tiles_of

SHAPE = (40, 36)
MASKS = arrays(bool, (14, 11)).filter(np.any)
BOXES = st.tuples(st.integers(1, 30), st.integers(1, 30), st.integers(0, 10), st.integers(0, 6))


def box(height, width, top, left):
    mask = np.zeros(SHAPE, bool)
    mask[top : top + height, left : left + width] = True
    return mask


def times_counted(tiles, shape):
    margin = 64
    counted = np.zeros([n + 2 * margin for n in shape], int)
    for tile in tiles:
        top, left, side = tile.frame.row + margin, tile.frame.col + margin, tile.frame.side
        counted[top : top + side, left : left + side] += tile.counts
    inner = counted[margin:-margin, margin:-margin]
    assert counted.sum() == inner.sum()
    return inner


@settings(max_examples=60)
@given(mask=MASKS, side=st.integers(1, 16), overlap=st.floats(0, 0.75), phase=st.floats(0, 1))
def test_each_pixel_of_the_mask_counts_in_exactly_one_crop(mask, side, overlap, phase):
    tiles = tiles_of(mask, side, overlap, phase)
    np.testing.assert_array_equal(times_counted(tiles, mask.shape), mask)
    assert all(tile.counts.any() and not (tile.counts & ~crop(mask, tile.frame, 0)).any() for tile in tiles)


@given(size=BOXES, side=st.integers(2, 40), phase=st.floats(0, 1))
def test_without_overlap_crops_are_side_by_side_and_no_more_than_needed(size, side, phase):
    tiles = tiles_of(box(*size), side, 0.0, phase)
    assert len(tiles) == -(-size[0] // side) * -(-size[1] // side)
    for index, starts in ((0, {tile.frame.row for tile in tiles}), (1, {tile.frame.col for tile in tiles})):
        assert set(np.diff(sorted(starts))) <= {side}
        first, last = size[2 + index], size[2 + index] + size[index]
        assert min(starts) <= first
        assert max(starts) + side >= last


@given(size=BOXES, phase=st.floats(0, 1), overlap=st.floats(0, 0.75))
def test_what_fits_is_one_crop_centred(size, phase, overlap):
    mask = box(*size)
    (tile,) = tiles_of(mask, 32, overlap, phase)
    assert tile.frame == frame_of(mask, 32)
    np.testing.assert_array_equal(tile.counts, crop(mask, tile.frame, 0))


def test_overlapping_crops_count_what_is_nearest_to_their_centre():
    tiles = tiles_of(box(1, 20, 5, 4), side=8, overlap=0.5)
    assert [tile.frame for tile in tiles] == [Frame(2, 4 + 4 * k, 8) for k in range(4)]
    columns = [np.flatnonzero(tile.counts.any(0)) + tile.frame.col for tile in tiles]
    assert [list(part) for part in columns] == [
        list(range(4, 10)),
        list(range(10, 14)),
        list(range(14, 18)),
        list(range(18, 24)),
    ]


def test_the_phase_moves_the_edges_within_what_reaches_beyond():
    mask = box(20, 20, 8, 8)
    starts = [tiles_of(mask, 12, 0.0, phase)[0].frame.row for phase in (0.0, 0.5, 0.99)]
    assert starts == [8, 6, 5]  # 24 pixels of crops for 20 of the mask


def test_an_empty_mask_is_refused():
    with pytest.raises(ValueError, match="empty"):
        tiles_of(np.zeros((4, 4), bool), 2)

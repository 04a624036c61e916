from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from skimage import filters, measure, morphology
from small_pairs import SPACING_MM, grid, head_hu, head_mr, world

from sct.core.gray import Window, gray8_to_hu
from sct.preparation.pair import IsotropicPair
from sct.preparation.participant import prepare_participant
from sct.preparation.settings import PrepareSettings
from sct.preparation.slicing import choose_slices, render
from sct.preparation.store import SliceStore
from sct.slices.frame import paste
from sct.slices.planes import PLANES, extract

SHAPE = (24, 28, 26)
SETTINGS = PrepareSettings(size_px=32, spacing_mm=SPACING_MM)


@pytest.fixture
def pair():
    affine = grid(SHAPE, SPACING_MM)
    mr = head_mr(world(SHAPE, affine)).astype(np.float32)
    seen = np.ones(SHAPE, bool)
    seen[:, :, :6] = False
    return IsotropicPair(
        mr=mr,
        ct_hu=head_hu(world(SHAPE, affine)).astype(np.float32),
        field_of_view=seen,
        mask=None,
        affine=affine,
        mr_range=(float(mr.min()), float(mr.max())),
        mr_signal_level=40.0,
        registration=None,
    )


def pixels(pair, slices, settings):
    return np.concatenate(list(render(pair, slices, settings)), axis=1)


def by_the_book(pair, plane, index, settings):
    """One slice by scikit-image and Pillow, in the order of the definition."""
    ct, mr, seen = (extract(volume, plane)[index] for volume in (pair.ct_hu, pair.mr, pair.field_of_view))
    clipped = np.clip(ct.astype(np.float64), -1000, 200)
    regions = measure.label(clipped > filters.threshold_otsu(clipped))
    largest = regions == 1 + np.argmax([region.area for region in measure.regionprops(regions)])
    mask = morphology.convex_hull_image(largest, offset_coordinates=False) & seen
    low, high = pair.mr_range
    images = [np.where(mask, (mr - low) / (high - low) * 255, 0), np.where(mask, ct, -500), mask]
    rows, cols = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    height, width = np.ptp(rows) + 1, np.ptp(cols) + 1
    side = max(height, width)
    top, left = rows[0] - (side - height) // 2, cols[0] - (side - width) // 2
    out = []
    for image, fill in zip(images, (0, -500, 0), strict=True):
        padded = np.pad(image.astype(np.float32), 40, constant_values=fill)
        square = np.ascontiguousarray(padded[top + 40 : top + 40 + side, left + 40 : left + 40 + side])
        size = (settings.size_px, settings.size_px)
        out.append(np.asarray(Image.fromarray(square).resize(size, Image.Resampling.BILINEAR)))
    gray_ct = np.clip((out[1] + 500) / 2000 * 255, 0, 255)
    return out[0], gray_ct, out[2]


@pytest.mark.parametrize(("plane", "index"), [("axial", 9), ("coronal", 15), ("sagittal", 8)])
@pytest.mark.parametrize("size_px", [16, 48])
def test_slices_are_those_of_the_definition(pair, plane, index, size_px):
    settings = replace(SETTINGS, size_px=size_px)
    slices, _ = choose_slices(pair, settings)
    entry = next(i for i, one in enumerate(slices) if (one.plane, one.index) == (plane, index))
    mr, ct, mask = pixels(pair, slices, settings)[:, entry]
    expected_mr, expected_ct, expected_mask = by_the_book(pair, plane, index, settings)
    # rounded once from floating point: never further than half a level (and the last digits of float32)
    assert np.abs(mr - expected_mr).max() <= 0.5 + 1e-3
    assert np.abs(ct - expected_ct).max() <= 0.5 + 1e-3
    clear = np.abs(expected_mask - 0.5) > 1e-4
    np.testing.assert_array_equal(mask[clear], np.where(expected_mask >= 0.5, 255, 0)[clear])


def test_blocks_equal_slices_one_by_one(pair):
    slices, _ = choose_slices(pair, SETTINGS)
    together = pixels(pair, slices, SETTINGS)
    for i in (0, 17, len(slices) - 1):
        np.testing.assert_array_equal(together[:, [i]], pixels(pair, [slices[i]], SETTINGS))


def test_every_slice_is_chosen_or_counted_and_outside_the_field_of_view_is_outside_the_mask(pair):
    slices, left_out = choose_slices(pair, SETTINGS)
    assert len(slices) + sum(left_out.values()) == sum(SHAPE)
    per_plane = Counter(one.plane for one in slices)
    for plane, n in zip(PLANES, (26, 28, 24), strict=True):
        assert per_plane[plane] + sum(m for (p, _), m in left_out.items() if p == plane) == n
    assert left_out["axial", "no MR"] == 3  # body from slice 3 on, MR from slice 6 on
    assert left_out["axial", "no tissue"] + left_out["axial", "small mask"] > 0
    assert min(one.index for one in slices if one.plane == "axial") == 6
    coronal = next(one for one in slices if (one.plane, one.index) == ("coronal", 14))
    lowest_row = coronal.frame.row + np.nonzero(coronal.mask.any(axis=1))[0].max()
    assert lowest_row == SHAPE[2] - 1 - 6


def test_the_rule_for_small_masks_is_an_area(pair):
    areas = {
        (one.plane, one.index): one.mask.sum() * SPACING_MM**2
        for one in choose_slices(pair, replace(SETTINGS, min_mask_mm2=0))[0]
    }
    kept = {(one.plane, one.index) for one in choose_slices(pair, replace(SETTINGS, min_mask_mm2=2000))[0]}
    assert kept == {key for key, area in areas.items() if area >= 2000}


def test_a_constant_mr_is_left_out(pair):
    mr = pair.mr.copy()
    mr[:, :, 12] = 300
    slices, left_out = choose_slices(replace(pair, mr=mr), SETTINGS)
    assert left_out["axial", "no MR"] == 4
    assert ("axial", 12) not in {(one.plane, one.index) for one in slices}


def test_a_slice_of_the_head_rest_is_left_out(pair):
    """Where the CT shows a body and the MR noise only."""
    mr = pair.mr.copy()
    mr[:, :, 12] = np.random.default_rng(0).rayleigh(10, SHAPE[:2])
    _, left_out = choose_slices(replace(pair, mr=mr), SETTINGS)
    assert left_out["axial", "no MR"] == 4
    _, left_out = choose_slices(replace(pair, mr=mr), replace(SETTINGS, min_mr_share=0.0))
    assert left_out["axial", "no MR"] == 3


def test_mr_is_scaled_per_volume_or_per_slice_within_the_field_of_view(pair):
    mr = pair.mr.copy()
    mr[:, :, 10] *= 0.25
    mr[:, :, 11] = mr[:, :, 10] * 3 + 7
    mr[:, :, :6] = 1e6  # never seen
    scaled = replace(pair, mr=mr)
    settings = replace(SETTINGS, mr_scaling_unit="slice")
    per_slice = {(one.plane, one.index): one for one in choose_slices(scaled, settings)[0]}
    one, other = per_slice["axial", 10], per_slice["axial", 11]
    assert one.mr_range == (float(mr[:, :, 10].min()), float(mr[:, :, 10].max()))
    coronal = per_slice["coronal", 14].mr_range
    assert coronal[1] < 1e6
    # a linear change of a slice is undone by its own range
    a, b = (pixels(scaled, [item], settings)[0].astype(int) for item in (one, replace(other, mask=one.mask)))
    assert np.abs(a - b)[:, 4:-4, 4:-4].max() <= 1
    per_volume = {(one.plane, one.index): one for one in choose_slices(scaled, SETTINGS)[0]}
    assert per_volume["axial", 10].mr_range == per_volume["axial", 11].mr_range == pair.mr_range


def test_values_beyond_the_percentiles_saturate(pair):
    low, high = np.percentile(pair.mr, (20, 80))
    slices, _ = choose_slices(replace(pair, mr_range=(float(low), float(high))), SETTINGS)
    mr = pixels(pair, slices, SETTINGS)[0]
    assert (mr.min(), mr.max()) == (0, 255)


def test_an_own_mask_is_taken_as_it_is(pair):
    own = np.zeros(SHAPE, bool)
    own[8:15, 9:20, 10:18] = True
    slices, left_out = choose_slices(replace(pair, mask=own), replace(SETTINGS, mask="file"))
    assert Counter(one.plane for one in slices) == {"axial": 8, "coronal": 11, "sagittal": 7}
    assert {reason for _, reason in left_out} == {"no mask"}
    assert all(one.mask.sum() == own_n for one, own_n in zip(slices, [77] * 8 + [56] * 11 + [88] * 7, strict=True))


@pytest.mark.parametrize(("size_px", "overlap"), [(16, 0.0), (16, 0.5), (32, 0.0)])
def test_patches_count_each_pixel_of_the_body_once_and_leave_out_the_same_slices(pair, size_px, overlap):
    settings = replace(SETTINGS, frame="patch", size_px=size_px, patch_overlap=overlap)
    patches, left_out = choose_slices(pair, settings)
    whole, expected = choose_slices(pair, SETTINGS)
    assert left_out == expected
    assert {one.frame.side for one in patches} == {size_px}
    per_slice = Counter((one.plane, one.index) for one in patches)
    assert max(per_slice.values()) == {(16, 0.0): 4, (16, 0.5): 4, (32, 0.0): 1}[size_px, overlap]  # heads of 22 pixels
    counted = Counter()
    for one, mask in zip(patches, pixels(pair, patches, settings)[2], strict=True):
        counted[one.plane, one.index] += np.count_nonzero(mask)
    assert counted == {(one.plane, one.index): one.mask.sum() for one in whole}


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize(("size_px", "overlap"), [(16, 0.0), (16, 0.5), (32, 0.0)])
def test_patches_come_back_into_the_volume_exactly(make_participant, tmp_path, plane, size_px, overlap):
    """They are native pixels, at the place that the store says."""
    settings = PrepareSettings(size_px=size_px, spacing_mm=SPACING_MM, frame="patch", patch_overlap=overlap)
    stored, volume, mask = prepared(make_participant(), settings, tmp_path / "store", plane)
    hu = gray8_to_hu(stored.data[1][stored.in_plane(plane)], Window())
    restored = put_back(stored, hu, plane, -500.0)
    # exact but for the 8 bits of the store
    assert np.abs(restored - np.clip(np.where(mask, volume, -500), -500, 1500)).max() <= 2000 / 255 / 2 + 1e-3


@pytest.mark.parametrize("plane", PLANES)
def test_resized_slices_come_back_into_the_volume_within_the_error_of_resizing(make_participant, tmp_path, plane):
    settings = PrepareSettings(size_px=64, spacing_mm=SPACING_MM, min_mask_mm2=0)
    stored, volume, mask = prepared(make_participant(), settings, tmp_path / "store", plane)
    hu = gray8_to_hu(stored.data[1][stored.in_plane(plane)], Window())
    restored = put_back(stored, hu, plane, -500.0)
    expected = np.clip(np.where(mask, volume, -500), -500, 1500)
    error = np.abs(restored - expected)
    # soft tissue away from edges is smooth but for noise of 15 HU
    flat = ndimage.maximum_filter(expected, 5) - ndimage.minimum_filter(expected, 5) < 150
    assert flat.sum() > 5000
    assert error[flat].max() < 40
    assert error.mean() < 0.05 * (expected.max() - expected.min())
    assert np.corrcoef(restored.ravel(), expected.ravel())[0, 1] > 0.97


def put_back(record, images, plane, fill):
    """One plane's slices (k, size_px, size_px) in the volume (X, Y, Z), by nothing but what the store keeps."""
    volume = np.full(record.geometry.shape, fill, np.float32)
    stack = extract(volume, plane)
    for entry, image in zip(record.in_plane(plane), images, strict=True):
        paste(image, record.frame(int(entry)), stack[record.indices[entry]])
    return volume


def prepared(participant, settings, folder, plane):
    from sct.preparation.pair import load_pair

    prepare_participant(participant, settings, folder, "a" * 64)
    pair = load_pair(participant, settings)
    mask = np.zeros(pair.ct_hu.shape, bool)
    stack = extract(mask, plane)
    for one in choose_slices(pair, settings)[0]:
        if one.plane == plane:
            rows, cols = np.nonzero(one.mask)
            stack[one.index][rows + one.frame.row, cols + one.frame.col] = True
    return SliceStore(folder).participant(participant.participant_id), pair.ct_hu, mask

"""The whole way, with networks whose answer is known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_heads import SPACING_MM, Smoothing, Square, affine_of, head_ct, head_mr, radius, smooth_mr

from sct.core.errors import SctError
from sct.core.volume import Volume
from sct.preparation.settings import PrepareSettings
from sct.synthesis.ensemble import ensemble_of
from sct.synthesis.plane_predictions import Options
from sct.synthesis.synthesize import synthesize

PREPARE = PrepareSettings(spacing_mm=SPACING_MM, size_px=32, min_mask_mm2=400.0)
OPTIONS = Options(device="cpu", precision="float32")
SHAPE = (22, 26, 24)


def identity(**changes):
    return ensemble_of([torch.nn.Identity()], PrepareSettings(**{**PREPARE.__dict__, **changes}))


def expected_hu(mr):
    low, high = mr.data.min(), mr.data.max()
    return (mr.data - low) / (high - low) * 2000.0 - 500.0


@given(
    angles=st.tuples(*[st.floats(-25, 25)] * 3),
    order=st.permutations([0, 1, 2]),
    flips=st.tuples(*[st.sampled_from([-1, 1])] * 3),
    spacing=st.tuples(*[st.floats(2.5, 5.0)] * 3),
    frame=st.sampled_from([{"frame": "resize"}, {"frame": "patch", "size_px": 16}]),
)
@settings(max_examples=15)
def test_identity_network_gives_the_mr_back_on_its_own_grid(angles, order, flips, spacing, frame):
    """On any grid the synthetic CT is the MR in HU: nothing is shifted, flipped or scaled on the way."""
    shape = tuple(int(np.ceil(90 / mm)) for mm in spacing)
    affine = affine_of(shape, spacing, angles, order, flips)
    mr = smooth_mr(shape, affine)
    result = synthesize(mr, identity(**frame), OPTIONS, mask="none")
    assert result.hu.shape == shape
    assert np.array_equal(result.hu.affine, affine)
    inner = tuple(slice(int(np.ceil(12 / mm)), -int(np.ceil(12 / mm))) for mm in spacing)
    error = np.abs(result.hu.data - expected_hu(mr))[inner]
    # one voxel of shift would be over 60 HU
    assert error.mean() < 8
    assert error.max() < 45


def test_identity_on_the_networks_own_grid_is_exact_to_the_8_bits():
    mr = smooth_mr(SHAPE, affine_of(SHAPE))
    result = synthesize(mr, identity(size_px=26), Options(planes=("sagittal",), precision="float32"), mask="none")
    # sagittal slices are 24 rows and 26 columns: the frame's side is the network's size, so nothing is resized
    assert np.abs(result.hu.data - expected_hu(mr)).max() <= 2000 / 510 + 1e-2


@given(order=st.permutations([0, 1, 2]), flips=st.tuples(*[st.sampled_from([-1, 1])] * 3))
@settings(max_examples=10)
def test_storage_order_does_not_change_the_world(order, flips):
    affine = affine_of(SHAPE, angles_deg=(8, -5, 12))
    mr = head_mr(SHAPE, affine)
    data, other = np.transpose(mr.data, order), affine[:, [*order, 3]].copy()
    for axis, flip in enumerate(flips):
        if flip < 0:
            data = np.flip(data, axis)
            other[:3, 3] += other[:3, axis] * (data.shape[axis] - 1)
            other[:3, axis] *= -1
    ensemble = ensemble_of([Smoothing()], PREPARE)
    one = synthesize(mr, ensemble, OPTIONS)
    two = synthesize(Volume(data, other), ensemble, OPTIONS)
    assert np.allclose(one.hu.to_ras().data, two.hu.to_ras().data, atol=0.1)
    assert np.allclose(one.uncertainty_hu.to_ras().data, two.uncertainty_hu.to_ras().data, atol=0.1)


def test_equal_checkpoints_are_one_without_ensemble_spread():
    mr = head_mr(SHAPE, affine_of(SHAPE))
    one = synthesize(mr, ensemble_of([Smoothing()], PREPARE), OPTIONS)
    three = synthesize(mr, ensemble_of([Smoothing()] * 3, PREPARE), OPTIONS)
    assert np.array_equal(one.hu.data, three.hu.data)
    assert np.array_equal(one.uncertainty_hu.data, three.uncertainty_hu.data)
    assert (three.fused.members_hu == 0).all()
    assert one.uncertainty_hu.data.max() > 0


def test_ensemble_is_the_mean_and_its_spread_is_known():
    mr = head_mr(SHAPE, affine_of(SHAPE))
    options = Options(planes=("axial",), precision="float32")
    singles = [synthesize(mr, ensemble_of([net], PREPARE), options) for net in (torch.nn.Identity(), Square())]
    both = synthesize(mr, ensemble_of([torch.nn.Identity(), Square()], PREPARE), options)
    a, b = (single.fused.hu for single in singles)
    assert np.allclose(both.fused.hu, (a + b) / 2, atol=1e-2)
    assert np.allclose(both.fused.uncertainty_hu, np.abs(a - b) / 2, atol=1e-2)
    assert any("uncertainty is 0" in line for line in singles[0].warnings)


def test_outside_the_head_is_air_and_the_head_is_the_head():
    affine = affine_of(SHAPE)
    result = synthesize(head_mr(SHAPE, affine), identity(), OPTIONS)
    truth = radius(SHAPE, affine) < 1
    assert (result.hu.data[~result.inside] == -1000).all()
    assert (result.uncertainty_hu.data[~result.inside] == 0).all()
    assert (result.hu.data[result.inside] >= -500 - 1e-2).all()
    assert 2 * (result.inside & truth).sum() / (result.inside.sum() + truth.sum()) > 0.95


def test_a_mask_file_on_another_grid_is_used():
    affine = affine_of(SHAPE)
    other_shape = (30, 32, 34)
    other = affine_of(other_shape, 3.0, angles_deg=(10, 0, 5))
    mask = Volume((radius(other_shape, other) < 0.7).astype(np.uint8), other)
    result = synthesize(head_mr(SHAPE, affine), identity(), OPTIONS, mask)
    inner = radius(SHAPE, affine) < 0.7
    assert result.mask.source == "file"
    assert 2 * (result.inside & inner).sum() / (result.inside.sum() + inner.sum()) > 0.93
    away = Volume(mask.data, affine_of(other_shape, 3.0) + np.array([[0, 0, 0, 900.0]] + [[0] * 4] * 3))
    with pytest.raises(SctError, match="--mask"):
        synthesize(head_mr(SHAPE, affine), identity(), OPTIONS, away)


def test_patches_equal_frames_for_a_pointwise_network():
    mr = head_mr(SHAPE, affine_of(SHAPE))
    patch = PrepareSettings(spacing_mm=SPACING_MM, size_px=16, frame="patch")
    result = synthesize(mr, ensemble_of([Square()], patch), OPTIONS)
    gray = np.rint((mr.data - mr.data.min()) / np.ptp(mr.data) * 255) / 255
    covered = result.predictions.covered["axial"]
    hu = result.predictions.means_hu["axial"]
    assert np.allclose(hu[covered], (gray**2 * 2000 - 500)[covered], atol=0.1)


def test_scaling_per_slice_uses_each_slices_own_range():
    mr = smooth_mr(SHAPE, affine_of(SHAPE))
    ensemble = identity(mr_scaling_unit="slice", size_px=26)
    result = synthesize(mr, ensemble, Options(planes=("sagittal",), precision="float32"), mask="none")
    low = mr.data.min(axis=(1, 2), keepdims=True)
    high = mr.data.max(axis=(1, 2), keepdims=True)
    assert np.abs(result.hu.data - ((mr.data - low) / (high - low) * 2000 - 500)).max() <= 4


def test_networks_that_diverged_and_volumes_without_head_are_refused():
    class Broken(torch.nn.Module):
        def forward(self, x):
            return x * float("nan")

    mr = head_mr(SHAPE, affine_of(SHAPE))
    with pytest.raises(SctError, match="not finite"):
        synthesize(mr, ensemble_of([Broken()], PREPARE), OPTIONS)
    with pytest.raises(SctError, match="constant"):
        synthesize(Volume(np.ones(SHAPE, np.float32), mr.affine), identity(), OPTIONS)


@pytest.mark.parametrize(
    ("shape", "spacing_mm", "said"),
    [((10, 10, 10), 4.0, "10 x 10 x 10"), ((40, 40, 40), 0.1, "0.1"), ((16, 40, 40), 2.0, "32 x 80")],
)
def test_what_cannot_be_a_head_is_refused(shape, spacing_mm, said):
    with pytest.raises(SctError, match=said):
        synthesize(smooth_mr(shape, affine_of(shape, spacing_mm)), identity(), OPTIONS)


def test_a_ct_given_as_mr_is_warned_of():
    result = synthesize(head_ct(SHAPE, affine_of(SHAPE)), identity(), OPTIONS)
    assert any("looks like a CT" in line for line in result.warnings)

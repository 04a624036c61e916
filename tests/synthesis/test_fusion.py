"""Fusion against closed forms and numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sct.core.errors import SctError
from sct.core.gray import Window
from sct.synthesis.fusion import BONE_GAIN, FUSIONS, MemberMean, bone_weights, fuse

WINDOW = Window()
SHAPE = (17, 3, 2)  # longer than one slab


def random_planes(seed, n=3):
    rng = np.random.default_rng(seed)
    return [rng.uniform(-500, 1500, SHAPE).astype(np.float32) for _ in range(n)]


EVERYWHERE = [np.ones(SHAPE, bool)] * 3


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_mean_and_median_are_numpys(seed):
    planes = random_planes(seed)
    assert np.allclose(fuse(planes, EVERYWHERE, "mean", WINDOW).hu, np.mean(planes, 0), atol=1e-3)
    assert np.array_equal(fuse(planes, EVERYWHERE, "median", WINDOW).hu, np.median(planes, 0).astype(np.float32))
    assert np.allclose(fuse(planes, EVERYWHERE, "mean", WINDOW).uncertainty_hu, np.std(planes, 0), atol=0.05)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_uncovered_predictions_have_no_say(fusion):
    planes = random_planes(1)
    covered = [mask.copy() for mask in EVERYWHERE]
    covered[2][:] = False
    covered[1][0] = covered[0][0] = False
    fused = fuse(planes, covered, fusion, WINDOW)
    pair = fuse(planes[:2], [mask.copy() for mask in covered[:2]], fusion, WINDOW)
    assert np.array_equal(fused.hu, pair.hu)
    assert not fused.covered[0].any()
    assert fused.covered[1:].all()
    assert (fused.hu[0] == 0).all()
    assert (fused.uncertainty_hu[0] == 0).all()


@pytest.mark.parametrize("fusion", FUSIONS)
def test_agreeing_planes_are_left_alone(fusion):
    plane = random_planes(2)[0]
    fused = fuse([plane] * 3, EVERYWHERE, fusion, WINDOW)
    assert np.allclose(fused.hu, plane, atol=1e-3)
    assert fused.uncertainty_hu.max() < 1e-3


@pytest.mark.parametrize("fusion", FUSIONS)
def test_order_of_planes_does_not_matter_and_fused_lies_between(fusion):
    planes = random_planes(3)
    fused = fuse(planes, EVERYWHERE, fusion, WINDOW).hu
    assert np.allclose(fused, fuse(planes[::-1], EVERYWHERE, fusion, WINDOW).hu, atol=1e-3)
    assert (fused >= np.min(planes, 0) - 1e-3).all()
    assert (fused <= np.max(planes, 0) + 1e-3).all()


def test_bone_weighted_closed_form():
    bone, soft = np.full(SHAPE, 600, np.float32), np.full(SHAPE, 0, np.float32)
    fused = fuse([bone, soft, soft], EVERYWHERE, "bone_weighted", WINDOW).hu
    assert np.allclose(fused, 600 * BONE_GAIN / (BONE_GAIN + 2))
    assert (fused > fuse([bone, soft, soft], EVERYWHERE, "mean", WINDOW).hu).all()
    assert bone_weights(np.array([-500, 0, 300, 1500]), WINDOW).tolist() == [0.5, 1, BONE_GAIN, BONE_GAIN / 2]


def test_total_variance_is_that_of_all_predictions():
    rng = np.random.default_rng(0)
    predictions = rng.uniform(-500, 1500, (3, 5, *SHAPE)).astype(np.float32)
    means, variances = [], []
    for plane in predictions:
        running = MemberMean()
        for member in plane:
            running.add(member)
        assert np.allclose(running.mean, plane.mean(0), atol=1e-2)
        assert np.allclose(running.variance, plane.var(0), rtol=1e-4)
        means.append(running.mean)
        variances.append(running.variance)
    fused = fuse(means, EVERYWHERE, "mean", WINDOW, variances)
    assert np.allclose(fused.uncertainty_hu, predictions.reshape(15, *SHAPE).std(0), rtol=1e-4)
    assert np.allclose(fused.uncertainty_hu**2, fused.planes_hu**2 + fused.members_hu**2, rtol=1e-4)


def test_unknown_fusion_is_named():
    with pytest.raises(SctError, match="bone_weighted"):
        fuse([np.zeros(SHAPE, np.float32)], [np.ones(SHAPE, bool)], "vote", WINDOW)

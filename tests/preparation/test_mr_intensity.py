"""Histograms by depth against scipy and closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from sct.preparation.intensity import DEPTHS_MM, evenly, gray_counts, intensity_distance, relative_histograms

BINS = np.arange(64)


@given(seed=st.integers(0, 2**32 - 1))
def test_distance_is_the_mean_of_scipys_over_layers(seed):
    one, other = (h / h.sum(1, keepdims=True) for h in np.random.default_rng(seed).random((2, 4, 64)) ** 8)
    layers = [wasserstein_distance(BINS, BINS, a, b) / 32 for a, b in zip(one, other, strict=True)]
    assert intensity_distance(one, other) == pytest.approx(np.mean(layers))
    one[3] = 0  # a child's neck, less than 30 mm deep
    assert intensity_distance(one, other) == pytest.approx(np.mean(layers[:3]))


def counts_of(values, mask):
    return gray_counts(np.where(mask, values, 0).clip(0, 255).round().astype(np.uint8), mask, 1.0)


@given(factor=st.floats(0.5, 2.0))
def test_relative_histograms_forget_the_scale_and_hold_all(factor):
    rng = np.random.default_rng(0)
    mask = np.ones((90, 80), bool)
    values = np.where(rng.random(mask.shape) < 0.4, 70, 100) + rng.normal(0, 4, mask.shape)
    values[40, 40] = 255 / factor  # one bright vessel
    one, other = relative_histograms(counts_of(values, mask)), relative_histograms(counts_of(values * factor, mask))
    assert one.sum(1) == pytest.approx(np.ones(4))
    assert one.min() >= 0
    assert intensity_distance(one, other) < 0.03


def test_layers_are_where_their_depth_is():
    """A square of 100 mm whose gray is its layer: each layer has the area of its frame."""
    rows, cols = np.indices((100, 100))
    depth = np.minimum(np.minimum(rows, 99 - rows), np.minimum(cols, 99 - cols)) + 0.5
    layer = np.searchsorted(DEPTHS_MM, depth)
    counts = gray_counts((layer * 10).astype(np.uint8), np.ones((100, 100), bool), 1.0)
    edges = [100 - 2 * mm for mm in (0, *DEPTHS_MM)] + [0]
    for k in range(4):
        assert counts[k, k * 10] == counts[k].sum() == edges[k] ** 2 - edges[k + 1] ** 2
    fine = gray_counts(np.kron(layer * 10, np.ones((2, 2))).astype(np.uint8), np.ones((200, 200), bool), 0.5)
    np.testing.assert_array_equal(fine, counts)  # area, not pixels


def test_some_slices_stand_for_many():
    assert evenly(5).tolist() == [0, 1, 2, 3, 4]
    many = evenly(1000)
    assert (len(many), many[0], many[-1]) == (32, 0, 999)
    assert evenly(0).size == 0

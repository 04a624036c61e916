"""Uncertainty against the error: scipy, and maps of known worth."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from sct.synthesis.uncertainty import uncertainty_quality

rng = np.random.default_rng(0)
REFERENCE = rng.uniform(-500, 1500, (20, 20, 20))
PREDICTION = REFERENCE + rng.laplace(0, 250, REFERENCE.shape)
ERROR = np.abs(PREDICTION - REFERENCE)
INSIDE = np.ones(REFERENCE.shape, bool)


def test_spearman_is_scipys():
    noisy = np.round(ERROR + rng.normal(0, 200, ERROR.shape), -2)  # with ties
    quality = uncertainty_quality(noisy, PREDICTION, REFERENCE, INSIDE)
    assert quality.spearman_r == pytest.approx(spearmanr(noisy.ravel(), ERROR.ravel()).statistic)


def test_the_error_itself_is_the_best_map():
    best = uncertainty_quality(ERROR, PREDICTION, REFERENCE, INSIDE, bone_hu=-1e9)
    assert best.spearman_r == pytest.approx(1)
    wrong = (ERROR > 300).sum()
    assert best.bone_errors_in_top_share == pytest.approx(min(1.0, 0.1 * ERROR.size / wrong), abs=1e-9)


def test_a_map_that_knows_nothing_scores_the_share():
    constant = uncertainty_quality(np.ones_like(ERROR), PREDICTION, REFERENCE, INSIDE)
    assert constant.spearman_r is None
    assert constant.bone_errors_in_top_share == pytest.approx(0.1)


def test_only_bone_counts_and_nothing_gives_none():
    soft = uncertainty_quality(ERROR, np.full_like(ERROR, -400.0), np.full_like(ERROR, 200.0), INSIDE)
    assert soft.bone_errors_in_top_share is None
    empty = uncertainty_quality(ERROR, PREDICTION, REFERENCE, ~INSIDE)
    assert (empty.spearman_r, empty.n_voxels) == (None, 0)

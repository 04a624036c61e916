"""The domain check: distances against scipy, and scans of another kind."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from sct.preparation.cohort import prepare_cohort
from sct.preparation.domain import (
    check_domain,
    domain_of,
    histogram_distance,
    merge_domains,
    relative_histogram,
)
from sct.preparation.settings import PrepareSettings
from sct.preparation.store import SliceStore

LEVELS = np.arange(256)


def bumps(*peaks, noise=6.0):
    """A normalised histogram of tissues: (level, share)."""
    histogram = sum(share * np.exp(-(((LEVELS - level) / noise) ** 2) / 2) for level, share in peaks)
    return histogram / histogram.sum()


@given(seed=st.integers(0, 2**32 - 1))
def test_distance_is_scipys(seed):
    rng = np.random.default_rng(seed)
    one, other = (h / h.sum() for h in rng.random((2, 256)) ** 8)
    assert histogram_distance(one, other) == pytest.approx(wasserstein_distance(LEVELS, LEVELS, one, other) / 128)


@given(factor=st.floats(0.5, 2.0))
def test_relative_histogram_forgets_the_scale(factor):
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(70, 5, 20000), rng.normal(100, 4, 30000)])
    histograms = [np.bincount(np.rint(v).astype(int), minlength=256) / v.size for v in (values, values * factor)]
    assert relative_histogram(histograms[0]).sum() == pytest.approx(1)
    assert histogram_distance(*map(relative_histogram, histograms)) < 0.02


def description(**changes):
    shape = relative_histogram(bumps((150, 0.7), (90, 0.3)))
    return {
        "spacing_mm": 1.0,
        "techniques": ["ZTE"],
        "fov_mm": [150.0, 230.0],
        "mr_histogram": shape.tolist(),
        "mr_relative_histograms": {"ZTE": [shape.tolist()]},
        "histogram_threshold": 0.05,
        "mr_gray_p75": [0.5, 0.7],
        **changes,
    }


def check(domain, gray, mr=None, head_mm=200.0, spacing_mm=(1.0, 1.0, 1.0)):
    return check_domain(domain, np.zeros(10) if mr is None else mr, gray, head_mm, spacing_mm).warnings


ZTE = np.repeat(LEVELS, np.rint(bumps((150, 0.7), (90, 0.3)) * 1e5).astype(int)) / 255.0
T1 = np.repeat(LEVELS, np.rint(bumps((30, 0.4), (90, 0.2), (200, 0.4)) * 1e5).astype(int)) / 255.0


def test_what_looks_alike_is_not_warned_of():
    assert check(description(), ZTE) == []
    assert check(description(), ZTE * 0.9) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"gray": T1}, "unlike"),
        ({"gray": ZTE * 0.3}, "darker"),
        ({"gray": ZTE, "mr": np.full(10, -1000.0)}, "looks like a CT"),
        ({"gray": ZTE, "head_mm": 60.0}, "measures 60 mm"),
        ({"gray": ZTE, "spacing_mm": (1.0, 1.0, 5.0)}, "5 mm are coarser"),
    ],
)
def test_each_difference_is_named(arguments, said):
    warnings = check(description(), **arguments)
    assert len(warnings) == 1
    assert said in warnings[0]


def test_an_old_checkpoint_cannot_be_compared():
    assert "could not be compared" in check({}, ZTE)[0]


def test_merging_a_description_with_itself_changes_nothing():
    merged = merge_domains([description(), {}, description()])
    assert merged["mr_relative_histograms"] == description()["mr_relative_histograms"]
    assert {key: merged[key] for key in ("fov_mm", "techniques", "histogram_threshold")} == {
        "fov_mm": [150.0, 230.0],
        "techniques": ["ZTE"],
        "histogram_threshold": 0.05,
    }
    wider = merge_domains([description(), description(fov_mm=[100.0, 200.0], techniques=["UTE"])])
    assert wider["fov_mm"] == [100.0, 230.0]
    assert wider["techniques"] == ["UTE", "ZTE"]
    assert merge_domains([{}, {}]) == {}


@pytest.mark.parametrize("frame", ["resize", "patch"])
def test_a_training_participant_is_within_its_own_domain(make_participant, tmp_path, frame):
    from sct.cohorts.cohort import Cohort

    participants = [make_participant(f"p{i}", columns={"technique": "ZTE"}, seed=i) for i in range(3)]
    settings = PrepareSettings(size_px=32, spacing_mm=4.0, frame=frame)
    prepare_cohort(Cohort("small", tmp_path / "cohort", participants), settings, tmp_path / "store", 1, "stop")
    store = SliceStore(tmp_path / "store")
    domain = domain_of(store, store.participant_ids)
    assert json.loads(json.dumps(domain)) == domain
    assert sum(domain["mr_histogram"]) == pytest.approx(1)
    assert domain["techniques"] == ["ZTE"]
    assert 60 < domain["fov_mm"][0] <= domain["fov_mm"][1] < 120  # a patch of 128 mm is not the head's size
    one = store.participant("p0")
    gray = one.data[0][one.data[2] > 0] / 255.0
    assert check(domain, gray, head_mm=domain["fov_mm"][0], spacing_mm=(4.0, 4.0, 4.0)) == []
    assert domain_of(store, []) == {}


def test_a_header_of_another_technique_is_warned_of():
    gray = np.repeat(np.arange(256), 10) / 255

    def said(technique, **changes):
        lines = check_domain(description(**changes), gray, gray, 190.0, [1.0] * 3, technique).warnings
        return [line for line in lines if "header reads as" in line]

    assert "no bone MRI" in said("no bone MRI")[0]
    assert "GRE" in said("GRE")[0]
    assert said("ZTE") == said(None) == said("GRE", techniques=[]) == []

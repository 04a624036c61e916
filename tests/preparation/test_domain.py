"""The domain check: scans of the training's kind, and of another."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_pairs import grid, head_mr, world

from sct.cohorts.cohort import Cohort
from sct.core.volume import Volume
from sct.preparation.cohort import prepare_cohort
from sct.preparation.domain import check_domain, domain_of, merge_domains
from sct.preparation.intensity import relative_histograms
from sct.preparation.settings import PrepareSettings
from sct.preparation.store import SliceStore
from sct.slices.planes import PLANES
from sct.synthesis.ensemble import Ensemble, Member
from sct.synthesis.isotropic_mr import isotropic_mr
from sct.synthesis.synthesize import compare_with_training, head_mask

LEVELS = np.arange(256)


def bumps(*peaks, noise=6.0):
    """Counts of tissues in each of the four layers: (level, share)."""
    histogram = sum(share * np.exp(-(((LEVELS - level) / noise) ** 2) / 2) for level, share in peaks)
    return np.tile(histogram / histogram.sum() * 1e5, (4, 1))


def darker(counts, factor):
    """The same counts with every level multiplied."""
    levels = np.rint(LEVELS * factor).astype(int)
    return np.stack([np.bincount(levels, layer, minlength=256) for layer in counts])


ZTE = bumps((150, 0.7), (90, 0.3))
T1 = bumps((30, 0.4), (90, 0.2), (200, 0.4))


def description(**changes):
    return {
        "spacing_mm": 1.0,
        "techniques": ["ZTE"],
        "fov_mm": [150.0, 230.0],
        "mr_histogram": (ZTE.sum(0) / ZTE.sum()).tolist(),
        "mr_depth_histograms": {"ZTE": [relative_histograms(ZTE).tolist()]},
        "histogram_threshold": 0.05,
        "mr_gray_p75": [0.5, 0.7],
        "cut_shares": {"inferior": 0.5, "superior": 0.1},
        **changes,
    }


def check(domain, counts, mr=None, head_mm=200.0, spacing_mm=(1.0, 1.0, 1.0), cuts=None):
    return check_domain(domain, np.zeros(10) if mr is None else mr, counts, head_mm, spacing_mm, cuts=cuts).warnings


def test_what_looks_alike_is_not_warned_of():
    assert check(description(), ZTE) == []
    assert check(description(), darker(ZTE, 0.9), cuts={"inferior": 0.7, "superior": 0.2, "left": 1.0}) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"counts": T1}, "unlike"),
        ({"counts": darker(ZTE, 0.3)}, "darker"),
        ({"counts": ZTE, "mr": np.full(10, -1000.0)}, "looks like a CT"),
        ({"counts": ZTE, "head_mm": 60.0}, "measures 60 mm"),
        ({"counts": ZTE, "spacing_mm": (1.0, 1.0, 5.0)}, "5 mm are coarser"),
        ({"counts": ZTE, "cuts": {"inferior": 0.6, "superior": 0.9}}, "superior 90 %; in training at most 10 %"),
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
    assert merged["mr_depth_histograms"] == description()["mr_depth_histograms"]
    assert {key: merged[key] for key in ("fov_mm", "techniques", "histogram_threshold")} == {
        "fov_mm": [150.0, 230.0],
        "techniques": ["ZTE"],
        "histogram_threshold": 0.05,
    }
    wider = merge_domains(
        [description(), description(fov_mm=[100.0, 200.0], techniques=["UTE"], cut_shares={"superior": 0.3})]
    )
    assert wider["cut_shares"] == {"inferior": 0.5, "superior": 0.3}
    assert wider["fov_mm"] == [100.0, 230.0]
    assert wider["techniques"] == ["UTE", "ZTE"]
    assert merge_domains([{}, {}]) == {}


SETTINGS = PrepareSettings(size_px=32, spacing_mm=4.0)


@pytest.fixture
def store_of(make_participant, tmp_path):
    """Prepares participants as one store."""

    def prepared(participants, settings=SETTINGS, name="store"):
        prepare_cohort(Cohort("small", tmp_path / "cohort", participants), settings, tmp_path / name, 1, "stop")
        return SliceStore(tmp_path / name)

    return prepared


def test_crops_describe_a_participant_as_whole_slices_do(make_participant, store_of):
    participants = [make_participant(f"p{i}", columns={"technique": "ZTE"}, seed=i) for i in range(2)]
    whole, *crops = (
        domain_of(store, store.participant_ids)
        for store in (
            store_of(participants, replace(SETTINGS, frame="patch", size_px=size_px, patch_overlap=overlap), name)
            for size_px, overlap, name in ((32, 0.0, "whole"), (16, 0.0, "crops"), (16, 0.5, "overlapping"))
        )
    )
    assert 60 < whole["fov_mm"][0] <= whole["fov_mm"][1] < 120  # the head's size, not the crop's
    assert crops == [whole, whole]


def test_domains_know_their_own_and_tell_another_contrast_and_a_cut_head(make_participant, store_of):
    """From files to warnings, as `sct.predict` asks: MR of a held-out head, remapped to T1, and halved.

    Native pixels and a given mask: at 4 mm, resizing or another mask would blur the layers into each other.
    """
    settings = replace(SETTINGS, frame="patch")
    position = world((24, 28, 26), grid((24, 28, 26), 4.0))
    rng = np.random.default_rng(0)

    def scan(signal=None):
        data = head_mr(position) if signal is None else signal
        return np.hypot(data * rng.uniform(0.9, 1.1) + rng.normal(0, 6, data.shape), rng.normal(0, 6, data.shape))

    participants = [make_participant(f"p{i}", mr=scan(), columns={"technique": "ZTE"}, seed=i) for i in range(4)]
    store = store_of(participants, settings)
    domain = domain_of(store, store.participant_ids)
    assert json.loads(json.dumps(domain)) == domain
    assert sum(domain["mr_histogram"]) == pytest.approx(1)
    assert domain["techniques"] == ["ZTE"]
    assert domain_of(store, []) == {}
    radius = np.sqrt(((position / np.array([36, 44, 40]).reshape(3, 1, 1, 1)) ** 2).sum(0))
    t1 = np.select([radius < 0.65, radius < 0.85, radius < 1.0], [220.0, 10.0, 420.0], 5.0)  # dark bone, bright fat

    def warnings_of(data, affine):
        ensemble = Ensemble([Member("m", torch.nn.Identity, domain=domain)], settings)
        isotropic = isotropic_mr(Volume(data.astype(np.float32), affine), settings)
        head = head_mask(isotropic, Volume(radius < 1, affine_of_mask), PLANES)
        return compare_with_training(Volume(data, affine), isotropic, head, ensemble).warnings

    affine = affine_of_mask = grid((24, 28, 26), 4.0)
    assert warnings_of(scan(), affine) == []
    assert any("unlike" in line for line in warnings_of(scan(t1), affine))
    half = affine.copy()
    half[1, 3] += 12 * 4.0
    assert any("cuts through the head" in line and "posterior" in line for line in warnings_of(scan()[:, 12:], half))


def test_a_header_of_another_technique_is_warned_of():
    def said(technique, **changes):
        lines = check_domain(description(**changes), ZTE, ZTE, 190.0, [1.0] * 3, technique).warnings
        return [line for line in lines if "header reads as" in line]

    assert "none of ZTE" in said("none of ZTE, UTE and GRE")[0]
    assert "GRE" in said("GRE")[0]
    assert said("ZTE") == said(None) == said("GRE", techniques=[]) == []

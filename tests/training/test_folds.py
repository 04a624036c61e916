"""No participant is ever on two sides, and everybody is tested once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sct.core.errors import SctError
from sct.training.folds import FoldPlan, fold_of

ids = st.text("abcdefgh0123", min_size=1, max_size=6)
cohorts = st.dictionaries(ids, st.integers(4, 30), min_size=6, max_size=30)
"""Numbers of slices by participant."""


@given(cohorts, st.integers(2, 5), st.integers(0, 5))
def test_folds_part_the_cohort_evenly_whatever_the_order(cohort, n_folds, fold_seed):
    folds = fold_of(cohort, n_folds, fold_seed)
    sizes = np.bincount(list(folds.values()), minlength=n_folds)
    assert set(folds) == set(cohort)
    assert len(sizes) == n_folds
    assert sizes.max() - sizes.min() <= 1
    assert folds == fold_of(reversed(list(cohort)), n_folds, fold_seed)


def test_folds_are_the_same_on_every_machine_and_vary_with_their_seed():
    ids = [f"p{k:02d}" for k in range(8)]
    assert fold_of(ids) == {"p07": 0, "p06": 1, "p04": 2, "p02": 3, "p01": 0, "p03": 1, "p05": 2, "p00": 3}
    assert len({tuple(sorted(fold_of(ids, fold_seed=s).items())) for s in range(5)}) == 5


@given(cohorts, st.sampled_from(["slice", "participant"]), st.integers(0, 3), st.floats(0.05, 0.6))
def test_nobody_is_on_two_sides_and_the_union_is_all(cohort, val_unit, seed, val_fraction):
    plan = FoldPlan(val_unit=val_unit, val_fraction=val_fraction)
    tested = []
    for fold in plan.folds:
        split = plan.split(cohort, {pid: {} for pid in cohort}, fold, seed)
        assert not set(split.test) & (set(split.train) | set(split.val))
        if val_unit == "participant":
            assert not set(split.train) & set(split.val)
        for pid, n in cohort.items():
            parts = [part.get(pid, np.zeros(0, int)) for part in (split.train, split.val, split.test)]
            assert sorted(np.concatenate(parts)) == list(range(n))
        if val_unit == "slice":
            learned = sum(n for pid, n in cohort.items() if pid not in split.test)
            assert sum(map(len, split.val.values())) == max(1, round(val_fraction * learned))
        tested += list(split.test)
    assert sorted(tested) == sorted(cohort)


def test_validation_slices_come_from_seed_and_fold_but_the_folds_do_not():
    n_slices = {f"p{k}": 40 for k in range(8)}
    columns = {pid: {} for pid in n_slices}

    def val(fold, seed):
        split = FoldPlan().split(n_slices, columns, fold, seed)
        return {pid: tuple(part) for pid, part in split.val.items()}, list(split.test)

    assert val(0, 0) == val(0, 0)
    assert val(0, 0)[0] != val(0, 1)[0]
    assert val(0, 0)[1] == val(0, 1)[1]


@given(st.sets(ids, min_size=3, max_size=20), st.data())
def test_generalizability(people, data):
    """Everybody in the subset is tested once, and learning goes on inside it, outside of it, or on both.

    Whoever has no value may be of the subset and plays no part.
    """
    members = data.draw(st.sets(st.sampled_from(sorted(people)), min_size=2, max_size=len(people) - 1))
    others = people - members
    columns = {pid: {"institution": "1" if pid in members else "2"} for pid in people} | {"?": {"institution": ""}}

    def sides(condition, fold):
        plan = FoldPlan(n_folds=2, condition=condition, column="institution", value="1")
        split = plan.split(dict.fromkeys(columns, 20), columns, fold, 0)
        return {*split.train, *split.val}, set(split.test)

    assert sides("separate", 0) == (others, members)
    (learn_0, test_0), (learn_1, test_1) = (sides("baseline", fold) for fold in (0, 1))
    assert (learn_0, learn_1) == (test_1, test_0)
    assert test_0 | test_1 == members
    assert not test_0 & test_1
    assert sides("augmented", 0) == (learn_0 | others, test_0)
    assert sides("augmented", 1) == (learn_1 | others, test_1)


@pytest.mark.parametrize("condition", ["baseline", "separate", "augmented"])
@pytest.mark.parametrize(("n_members", "n_others"), [(0, 4), (1, 4), (4, 0)])
def test_a_subset_that_is_too_small_or_everybody(condition, n_members, n_others):
    columns = {f"p{k}": {"institution": "1" if k < n_members else "2"} for k in range(n_members + n_others)}
    plan = FoldPlan(n_folds=2, condition=condition, column="institution", value="1")
    wanting = {"separate": n_members == 0 or n_others == 0}.get(condition, n_members < 2)
    if wanting:
        with pytest.raises(SctError, match=r"experiment\.value=1|institution=1"):
            plan.split(dict.fromkeys(columns, 20), columns, 0, 0)
    else:
        assert set(plan.split(dict.fromkeys(columns, 20), columns, 0, 0).test) <= {f"p{k}" for k in range(n_members)}


@pytest.mark.parametrize(
    ("plan", "fold", "message"),
    [
        ({"n_folds": 7}, 0, "7: only 6 participants"),
        ({"n_folds": 1}, 0, "at least 2"),
        ({}, 4, r"fold=4: must be one of \[0, 1, 2, 3\]"),
        ({"val_fraction": 0.0}, 0, "val_fraction=0.0"),
        ({"val_unit": "pixel"}, 0, "val_unit=pixel"),
        ({"condition": "other"}, 0, "condition=other"),
        ({"condition": "baseline"}, 0, "needs a column"),
        ({"condition": "baseline", "column": "vendor", "value": "GE"}, 0, "column=vendor.*institution"),
        ({"condition": "baseline", "column": "institution", "value": "9"}, 0, "value=9.*1, 2"),
        ({"condition": "baseline", "column": "institution", "value": "1"}, 0, "institution=1: .*only 3 participants"),
        ({"condition": "separate", "column": "institution", "value": "1"}, 1, "fold=1"),
        ({"val_fraction": 0.99}, 0, "no slice for training"),
    ],
)
def test_user_mistakes_are_named(plan, fold, message):
    columns = {f"p{k}": {"institution": str(1 + k % 2)} for k in range(6)}
    with pytest.raises(SctError, match=message):
        FoldPlan(**plan).split(dict.fromkeys(columns, 3), columns, fold, 0)


def test_ids_that_are_there_twice_are_refused():
    with pytest.raises(SctError, match="twice"):
        fold_of(["a", "b", "c", "d", "a"])


def test_split_json_counts_slices():
    columns = {f"p{k}": {} for k in range(4)}
    split = FoldPlan(n_folds=2).split(dict.fromkeys(columns, 20), columns, 0, 0)
    plain = split.to_json()
    assert sum(plain["train"].values()) + sum(plain["val"].values()) == 40
    assert sum(plain["val"].values()) == 6
    assert list(plain["test"].values()) == [20, 20]

"""Statistics against scipy, closed forms and brute force."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sct.core.statistics import Interval, PairedTest, holm, mean_interval, paired_t, paired_wilcoxon

reals = st.floats(-1e3, 1e3, allow_nan=False, width=32)


@pytest.mark.parametrize("n", [2, 3, 10, 40])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_interval_is_scipys_student_interval(n, confidence):
    x = np.random.default_rng(n).normal(95, 3, n)
    ours = mean_interval(x, confidence)
    low, high = stats.t.interval(confidence, n - 1, loc=x.mean(), scale=stats.sem(x))
    assert ours.n == n
    np.testing.assert_allclose([ours.mean, ours.low, ours.high], [x.mean(), low, high], rtol=1e-12)


def test_interval_by_hand():
    # s of (1, 2, 3) is 1; t(2, .975) = 4.302653 from any table
    ours = mean_interval([1.0, 2.0, 3.0])
    np.testing.assert_allclose([ours.low, ours.high], 2 + np.array([-1, 1]) * 4.302652729911275 / np.sqrt(3), rtol=1e-9)


def test_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    intervals = [mean_interval(rng.normal(size=4)) for _ in range(4000)]
    share = np.mean([i.low <= 0 <= i.high for i in intervals])
    assert abs(share - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 4000)


def test_interval_of_nothing_one_and_equal_values():
    assert mean_interval([]) is None
    assert mean_interval([3.0]) == Interval(3.0, None, None, 1)
    assert mean_interval([3.0, 3.0, 3.0]) == Interval(3.0, 3.0, 3.0, 3)


@pytest.mark.parametrize("bad", [[[1.0, 2.0]], [1.0, np.nan], [np.inf]])
def test_values_must_be_a_finite_vector(bad):
    with pytest.raises(ValueError, match="expected"):
        mean_interval(bad)
    with pytest.raises(ValueError, match="expected"):
        paired_t(bad, bad)


def test_pairs_must_match_and_confidence_be_a_share():
    with pytest.raises(ValueError, match="not 2 and 1"):
        paired_wilcoxon([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="confidence"):
        mean_interval([1.0], 95)


@pytest.mark.parametrize("n", [5, 10, 30])
def test_paired_t_is_scipys(n):
    rng = np.random.default_rng(n)
    a = rng.normal(100, 5, n)
    b = a + rng.normal(0.5, 1, n)
    ours = paired_t(a, b)
    assert ours.n == n
    assert ours.difference == pytest.approx((a - b).mean())
    assert ours.p == pytest.approx(stats.ttest_rel(a, b).pvalue, rel=1e-9)


def test_paired_t_needs_five_pairs_and_a_spread():
    a = np.arange(4.0)
    assert paired_t(a, a + np.array([1, 2, 1, 2])) == PairedTest(4, -1.5, None)
    assert paired_t([], []) == PairedTest(0, None, None)
    b = np.arange(6.0) + 90
    assert paired_t(b, b) == PairedTest(6, 0.0, 1.0)
    assert paired_t(b, b + 1e-15) == PairedTest(6, 0.0, 1.0)
    assert paired_t(b, b - 2) == PairedTest(6, 2.0, None)
    assert paired_t(b, b - 0.1).p is None  # equal up to rounding


@pytest.mark.parametrize("n", [1, 4, 16, 39, 50])
def test_wilcoxon_without_ties_is_scipys_exact_test(n):
    rng = np.random.default_rng(n)
    a, b = rng.normal(size=n), rng.normal(0.4, 1, n)
    ours = paired_wilcoxon(a, b)
    assert ours.p == pytest.approx(stats.wilcoxon(a, b, method="exact").pvalue, rel=1e-9)
    assert ours.difference == pytest.approx(np.median(a - b))


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9))
def test_wilcoxon_with_ties_and_zeros_is_the_full_enumeration(differences):
    d = np.array([x for x in differences if x != 0], float)
    ours = paired_wilcoxon(np.array(differences, float), np.zeros(len(differences)))
    assert ours.n == len(differences)
    if len(d) == 0:
        assert ours.p == 1.0
        return
    ranks = stats.rankdata(np.abs(d))
    statistic = min(ranks[d > 0].sum(), ranks[d < 0].sum())
    sums = [ranks[list(signs)].sum() for signs in itertools.product([False, True], repeat=len(d))]
    assert ours.p == pytest.approx(min(1.0, 2 * np.mean(np.array(sums) <= statistic)))


def test_wilcoxon_of_many_pairs_is_scipys_normal_approximation():
    rng = np.random.default_rng(0)
    d = np.round(rng.normal(0.2, 1, 400), 1)  # with ties and zeros
    ours = paired_wilcoxon(d, np.zeros(400))
    theirs = stats.wilcoxon(d, zero_method="wilcox", correction=False, method="approx").pvalue
    assert ours.p == pytest.approx(theirs, rel=1e-9)


@given(st.lists(st.tuples(reals, reals), min_size=5, max_size=20))
def test_tests_are_two_sided_and_blind_to_order(pairs):
    a, b = np.array(pairs).T
    for test in (paired_t, paired_wilcoxon):
        there, back, shuffled = test(a, b), test(b, a), test(a[::-1], b[::-1])
        assert there.p == back.p or there.p == pytest.approx(back.p)
        assert there.p == shuffled.p or there.p == pytest.approx(shuffled.p, rel=1e-6)
        assert there.difference == pytest.approx(-back.difference)


def test_smallest_possible_p_of_few_participants():
    # all n participants agree: p = 2 / 2^n, whatever the size of the difference
    for n in (3, 8, 16):
        assert paired_wilcoxon(np.arange(n) + 1.0, np.zeros(n)).p == pytest.approx(2 / 2**n)


def test_holm_by_hand_with_an_undefined_member():
    # m = 4: .005*4, .01*3, .03*2, .04*1 made monotone
    assert holm([0.01, None, 0.04, 0.03, 0.005]) == pytest.approx([0.03, None, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([None]) == [None]
    with pytest.raises(ValueError, match=r"1\.5"):
        holm([0.1, 1.5])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_raw_and_bonferroni_and_keeps_the_order(p):
    q = np.array(holm(p))
    assert (q >= np.array(p)).all()
    assert (q <= np.minimum(1, len(p) * np.array(p)) + 1e-12).all()
    assert (np.diff(q[np.argsort(p, kind="stable")]) >= 0).all()
    # reject exactly what the step-down definition rejects
    order = np.argsort(p, kind="stable")
    rejected = np.zeros(len(p), bool)
    for rank, i in enumerate(order):
        if p[i] * (len(p) - rank) > 0.05:
            break
        rejected[i] = True
    assert (rejected == (q <= 0.05)).all()

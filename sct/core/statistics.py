"""Means with confidence intervals, paired tests and Holm's correction: pure functions on numpy arrays.

What is repeated decides what may be tested. Ten seeds on the same patients are ten repetitions of a training, not of a
patient: an interval or a test over seeds says how far the *training* can be trusted to repeat. The paired Wilcoxon test
over participants says how far the *patients* agree; the study shows it always, beside any test over seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["MIN_SEEDS", "Interval", "PairedTest", "holm", "mean_interval", "paired_t", "paired_wilcoxon"]

MIN_SEEDS = 5
"""Fewest seeds for which a test over seeds is reported (our choice: below, its p value is hardly worth reading)."""

_EXACT_UP_TO = 50
"""Most pairs for which the signed-rank distribution is enumerated; beyond, the normal approximation is close."""

_EQUAL_RELATIVE = 1e-12
"""Differences that spread less than this part of the values are rounding, not variation."""


@dataclass(frozen=True)
class Interval:
    """A mean and its two-sided Student-t confidence interval.

    Attributes:
        mean: Arithmetic mean.
        low: Lower end; None for a single value, of which no spread is known.
        high: Upper end; None likewise.
        n: Number of values.
    """

    mean: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class PairedTest:
    """A paired comparison of two conditions.

    Attributes:
        n: Number of pairs that were compared.
        difference: Mean (t test) or median (Wilcoxon) of first minus second; None without pairs.
        p: Two-sided p value; None where the test is undefined.
    """

    n: int
    difference: float | None
    p: float | None


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> Interval | None:
    """Mean and Student-t interval: mean +- t(n - 1) * s / sqrt(n), s with n - 1 in the denominator.

    Args:
        values: Shape (n,), one per repetition.
        confidence: Coverage, between 0 and 1.

    Returns:
        None for no values. For one value the ends are None. For equal values both ends are the mean.

    Raises:
        ValueError: `values` is not one-dimensional or not finite, or `confidence` is not between 0 and 1.
    """
    from scipy.special import stdtrit

    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
    x = _vector(values)
    n = len(x)
    if n == 0:
        return None
    mean = float(x.mean())
    if n == 1:
        return Interval(mean, None, None, 1)
    half = float(stdtrit(n - 1, (1 + confidence) / 2) * x.std(ddof=1) / np.sqrt(n))
    return Interval(mean, mean - half, mean + half, n)


def paired_t(first: ArrayLike, second: ArrayLike, min_pairs: int = MIN_SEEDS) -> PairedTest:
    """Student's paired t test, two-sided, of values that belong together pair by pair (the same seed).

    Degenerate input: with fewer than `min_pairs` pairs p is None. Where all differences are zero p is 1. Where they are
    all the same but not zero, no spread can be estimated and p is None (the formula's 0 would claim certainty).

    Args:
        first: Shape (n,).
        second: Shape (n,), in the same order.
        min_pairs: Fewest pairs for a p value, at least 2.

    Raises:
        ValueError: Shapes differ, or a value is not finite.
    """
    from scipy.special import stdtr

    a, b = _pairs(first, second)
    n = len(a)
    if n == 0:
        return PairedTest(0, None, None)
    differences = a - b
    mean = float(differences.mean())
    if n < max(min_pairs, 2):
        return PairedTest(n, mean, None)
    scale = float(max(np.abs(a).max(), np.abs(b).max()))
    if np.abs(differences).max() <= _EQUAL_RELATIVE * scale:
        return PairedTest(n, mean, 1.0)
    deviation = float(differences.std(ddof=1))
    if deviation <= _EQUAL_RELATIVE * scale:
        return PairedTest(n, mean, None)
    return PairedTest(n, mean, float(2 * stdtr(n - 1, -abs(mean) * np.sqrt(n) / deviation)))


def paired_wilcoxon(first: ArrayLike, second: ArrayLike) -> PairedTest:
    """Wilcoxon's signed-rank test, two-sided, of values that belong together pair by pair (the same participant).

    Pairs without a difference are left out (Wilcoxon's own rule) and tied differences share their mean rank. Up to 50
    remaining pairs the null distribution of the rank sum is enumerated given those ranks, so p is exact with ties
    too; beyond, it is the normal approximation with its correction for ties.

    Degenerate input: no pairs give p None; no pair with a difference gives p 1.

    Args:
        first: Shape (n,).
        second: Shape (n,), in the same order.

    Returns:
        `n` counts all pairs, `difference` is the median over all of them.

    Raises:
        ValueError: Shapes differ, or a value is not finite.
    """
    from scipy.special import ndtr
    from scipy.stats import rankdata

    a, b = _pairs(first, second)
    if len(a) == 0:
        return PairedTest(0, None, None)
    differences = a - b
    median = float(np.median(differences))
    moved = differences[differences != 0]
    if len(moved) == 0:
        return PairedTest(len(a), median, 1.0)
    doubled = np.rint(2 * rankdata(np.abs(moved))).astype(np.int64)  # mean ranks are multiples of one half
    positive = int(doubled[moved > 0].sum())
    smaller = min(positive, int(doubled.sum()) - positive)
    if len(moved) <= _EXACT_UP_TO:
        p = 2 * _share_of_sign_choices(doubled, smaller)
    else:
        spread = np.sqrt(np.square(doubled.astype(np.float64)).sum()) / 2
        p = 2 * float(ndtr((smaller - doubled.sum() / 2) / spread))
    return PairedTest(len(a), median, min(1.0, p))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down adjustment of a family of p values (Holm 1979), in the order given.

    The i-th smallest of m values is multiplied by m - i + 1, made monotone and cut at 1; comparing the results with
    0.05 keeps the probability of one false claim in the whole family under 5 %.

    Args:
        p_values: Undefined tests are None; they stay None and do not count as members.

    Raises:
        ValueError: A value lies outside 0..1.
    """
    defined = [(p, i) for i, p in enumerate(p_values) if p is not None]
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, i) in enumerate(sorted(defined)):
        if not 0 <= p <= 1:
            raise ValueError(f"a p value lies between 0 and 1, not {p}")
        largest = max(largest, min(1.0, p * (len(defined) - rank)))
        adjusted[i] = largest
    return adjusted


def _share_of_sign_choices(ranks: NDArray[np.int64], at_most: int) -> float:
    """Share of the 2^n choices of signs whose positive ranks sum to `at_most` or less; `ranks` are whole numbers."""
    counts = np.zeros(int(ranks.sum()) + 1)
    counts[0] = 1.0
    for rank in ranks:
        counts[rank:] = (counts[rank:] + counts[:-rank]) / 2
        counts[:rank] /= 2
    return float(counts[: at_most + 1].sum())


def _vector(values: ArrayLike) -> NDArray[np.float64]:
    x = np.asarray(values, np.float64)
    if x.ndim != 1:
        raise ValueError(f"expected one dimension of values, not shape {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError("expected finite values; leave undefined ones out")
    return x


def _pairs(first: ArrayLike, second: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b = _vector(first), _vector(second)
    if len(a) != len(b):
        raise ValueError(f"pairs need the same number of values on both sides, not {len(a)} and {len(b)}")
    return a, b

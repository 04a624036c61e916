"""Generalizability: baseline, separate and augmented side by side for each value of a column.

Cells of these experiments are named `<column>-<value>-<condition>`. Per value, all three conditions are tested on the
same participants: *baseline* by cross-validation inside the subset, *separate* by networks trained on all others,
*augmented* by cross-validation inside the subset with all others added to the training data (Bambach & Ho 2022).
"""

from collections.abc import Sequence

from sct.study.comparisons import Comparison, compare_pairs
from sct.study.results import Row, row_title
from sct.study.subsets import CONDITIONS, subset_of
from sct.study.table import TableRow, table_rows

__all__ = ["condition_rows", "condition_tests", "subset_name"]


def condition_rows(rows: Sequence[Row]) -> list[TableRow]:
    """Rows titled (subset, condition, model and loss), by subset; the best condition of each subset marked."""
    return [
        line
        for members in _by_subset(rows)
        for line in table_rows(
            members, title=lambda row: (subset_name(row), _condition(row), row_title(row)), with_paper=False
        )
    ]


def condition_tests(rows: Sequence[Row]) -> list[Comparison]:
    """Augmented and separate against baseline for each subset, as one family."""
    pairs = [
        (other, baseline)
        for members in _by_subset(rows)
        for baseline in members
        if _condition(baseline) == "baseline"
        for other in members
        if _condition(other) != "baseline"
    ]
    return compare_pairs(pairs, subset_name, _condition)


def subset_name(row: Row) -> str:
    """The test subset for print, for instance "institution = 1"."""
    subset = subset_of(row.experiment)
    return f"{subset.column} = {subset.value}" if subset else row.experiment


def _by_subset(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows of one subset, model and loss together, in the order of the conditions."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((subset_name(row), row.model, row.loss), []).append(row)
    return [sorted(members, key=lambda row: CONDITIONS.index(_condition(row))) for _, members in sorted(groups.items())]


def _condition(row: Row) -> str:
    subset = subset_of(row.experiment)
    return subset.condition if subset else ""

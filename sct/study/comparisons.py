"""Paired tests between rows of a table: over seeds, and over participants beside them, Holm over the family.

A family is all comparisons of one kind (say, of models) in all six metrics: the strictest reading, since whoever looks
down the list of tests looks at all of them. Tests over seeds and over participants are families of their own.
"""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from sct.core.statistics import PairedTest, holm, paired_t, paired_wilcoxon
from sct.study.paper import METRICS, Metric, title_of_loss, title_of_model
from sct.study.results import Row, Study, row_title
from sct.study.table import UNDEFINED

__all__ = [
    "Comparison",
    "between_losses",
    "between_models",
    "compare_pairs",
    "csv_comparisons",
    "markdown_comparisons",
    "printed_difference",
    "printed_p",
    "with_baselines",
]


@dataclass(frozen=True)
class Comparison:
    """One metric of two rows.

    Attributes:
        held: What both have in common, for print ("MAE" loss, say).
        first: Name of the first row.
        second: Name of the second row.
        metric: The metric compared.
        over_seeds: Student's paired t test of pooled values, from 5 common seeds on; difference is the mean. None
            where the rows' seeds have nothing in common.
        over_participants: Paired Wilcoxon test of participants' values (mean over seeds); difference is the median.
        p_seeds: p over seeds after Holm's correction over the family.
        p_participants: p over participants likewise.
    """

    held: str
    first: str
    second: str
    metric: Metric
    over_seeds: PairedTest | None
    over_participants: PairedTest
    p_seeds: float | None = None
    p_participants: float | None = None


def between_models(rows: Sequence[Row]) -> list[Comparison]:
    """Each pair of trained models under each loss."""
    trained = [row for row in rows if row.loss != "none"]
    pairs = [(a, b) for a, b in combinations(trained, 2) if a.loss == b.loss and a.experiment == b.experiment]
    return compare_pairs(pairs, lambda row: title_of_loss(row.loss), lambda row: title_of_model(row.model))


def between_losses(rows: Sequence[Row]) -> list[Comparison]:
    """Each pair of losses for each model."""
    trained = [row for row in rows if row.loss != "none"]
    pairs = [(a, b) for a, b in combinations(trained, 2) if a.model == b.model and a.experiment == b.experiment]
    return compare_pairs(pairs, lambda row: title_of_model(row.model), lambda row: title_of_loss(row.loss))


def with_baselines(rows: Sequence[Row]) -> list[Comparison]:
    """Each trained model and loss against each baseline, over participants only.

    A baseline is fitted once, without a seed: its one repetition belongs to no seed of a network.
    """
    trained = [row for row in rows if row.loss != "none"]
    fitted = [row for row in rows if row.loss == "none"]
    pairs = [(a, b) for a in trained for b in fitted if a.experiment == b.experiment]
    return compare_pairs(pairs, lambda _: "", row_title, share_seeds=False)


def compare_pairs(
    pairs: Iterable[tuple[Row, Row]],
    held: Callable[[Row], str],
    name: Callable[[Row], str],
    share_seeds: bool = True,
) -> list[Comparison]:
    """All six metrics of pairs of rows, as one family.

    Args:
        pairs: Rows to compare; seeds that tested the same participants in both, and participants of both, are paired.
        held: What the rows of a pair have in common, from the first of them.
        name: What a row is called within its pair.
        share_seeds: Whether seeds of one number belong together; False for no test over seeds.
    """
    found = [
        Comparison(
            held(a),
            name(a),
            name(b),
            metric,
            _over_seeds(a, b, metric.key) if share_seeds else None,
            _over_participants(a, b, metric.key),
        )
        for a, b in pairs
        for metric in METRICS
    ]
    seeds = holm([comparison.over_seeds.p if comparison.over_seeds else None for comparison in found])
    people = holm([comparison.over_participants.p for comparison in found])
    return [replace(c, p_seeds=s, p_participants=p) for c, s, p in zip(found, seeds, people, strict=True)]


def _over_seeds(a: Row, b: Row, key: str) -> PairedTest:
    first, second = (
        {(seed.seed, frozenset(seed.participants)): seed.figures[key] for seed in row.seeds} for row in (a, b)
    )
    common = [name for name in first if first[name] is not None and second.get(name) is not None]
    return paired_t([first[name] for name in common], [second[name] for name in common])


def _over_participants(a: Row, b: Row, key: str) -> PairedTest:
    first, second = a.of_participants(key), b.of_participants(key)
    common = [name for name in first if name in second]
    return paired_wilcoxon([first[name] for name in common], [second[name] for name in common])


def printed_p(p: float | None) -> str:
    """A p value for print; an em dash where the test is undefined."""
    if p is None:
        return UNDEFINED
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def markdown_comparisons(comparisons: Sequence[Comparison]) -> str:
    """A Markdown table, one line for each comparison and metric."""
    lines = [
        "| | First | Second | Metric | Difference, seeds | p | p (Holm) | n "
        "| Difference, participants | p | p (Holm) | n |",
        "|---|---|---|---|" + "---:|" * 8,
    ]
    for c in comparisons:
        cells = [c.held, c.first, c.second, c.metric.heading]
        for test, p in ((c.over_seeds, c.p_seeds), (c.over_participants, c.p_participants)):
            cells += (
                [printed_difference(test, c.metric), printed_p(test.p), printed_p(p), str(test.n)]
                if test
                else [UNDEFINED] * 4
            )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def csv_comparisons(families: Mapping[str, Sequence[Comparison]], study: Study) -> str:
    """Unrounded differences (HU, HU^2) and p values of all families, empty where undefined, and how they were read."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    header = ["scope", "average", "family", "held", "first", "second", "metric"]
    for unit in ("seeds", "participants"):
        header += [f"{unit}_{name}" for name in ("n", "difference", "p", "p_holm")]
    writer.writerow(header)
    for family, comparisons in families.items():
        for c in comparisons:
            values: list[object] = [study.scope, study.average, family, c.held, c.first, c.second, c.metric.key]
            for test, p in ((c.over_seeds, c.p_seeds), (c.over_participants, c.p_participants)):
                found = (test.n, test.difference, test.p, p) if test else (None,) * 4
                values += ["" if value is None else repr(value) for value in found]
            writer.writerow(values)
    return text.getvalue()


def printed_difference(test: PairedTest, metric: Metric) -> str:
    """First minus second in print units, with its sign and one digit more than the metric has."""
    return UNDEFINED if test.difference is None else f"{test.difference * metric.scale:+z.{metric.digits + 1}f}"

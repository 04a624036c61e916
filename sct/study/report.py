"""The HTML page of a study: one file that opens offline and can be read on its own."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sct.study.comparisons import Comparison, printed_difference, printed_p
from sct.study.configuration import scientific
from sct.study.paper import CITATION, COHORT, METRICS
from sct.study.results import Study
from sct.study.table import TableRow, left_out, printed, sample_size
from sct.study.volume_tables import VolumeTable

__all__ = ["Picture", "render_report"]

_SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Picture:
    """A figure of the page: title, explanation, and the PNG file that is embedded."""

    title: str
    caption: str
    path: Path

    @property
    def data_uri(self) -> str:
        """The picture itself as an address."""
        return "data:image/png;base64," + base64.b64encode(self.path.read_bytes()).decode("ascii")


def render_report(
    study: Study,
    rows: Sequence[TableRow],
    headings: Sequence[str],
    tests: Mapping[str, Sequence[Comparison]],
    volumes: Sequence[VolumeTable],
    pictures: Sequence[Picture],
    command: str,
) -> str:
    """The page as HTML.

    Args:
        study: What was read.
        rows: The table.
        headings: Titles of the table's first columns.
        tests: Comparisons by family.
        volumes: Scores of whole volumes.
        pictures: In the order of the page.
        command: The command that made it.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        study=study,
        facts=_facts(study),
        settings=sorted(scientific(study.config).items()),
        metrics=METRICS,
        headings=headings,
        table=[_table_line(line) for line in rows],
        has_paper=any(line.has_paper for line in rows),
        n=sample_size(study.rows),
        left_out=left_out(rows),
        tests={family: (_test_lines(found), _beyond_reach(found)) for family, found in tests.items()},
        volumes=volumes,
        pictures=pictures,
        command=command,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        citation=CITATION,
        paper_cohort=COHORT,
        smallest_p=_smallest_p(study),
    )


def _facts(study: Study) -> list[tuple[str, str]]:
    """What was run, as pairs of name and value."""
    config = study.config
    seeds = sorted({seed.seed for row in study.rows for seed in row.seeds if row.loss != "none"})
    prepare, data = config.get("prepare", {}), config.get("data", {})
    window = study.window
    facts = [
        ("Cohort", study.cohort + (" (procedural head phantoms, no patients)" if study.is_phantom else "")),
        ("Experiments", ", ".join(sorted({row.experiment for row in study.rows}))),
        ("Seeds", ", ".join(map(str, seeds)) or "none (classical baselines only)"),
        ("Folds", f"{data.get('n_folds', '?')}, by participant (fold_seed {data.get('fold_seed', '?')})"),
        ("Slices", f"{prepare.get('size_px', '?')} px, from volumes of {prepare.get('spacing_mm', '?')} mm"),
        ("Gray scale", f"{window.lowest_hu:g} to {window.highest_hu:g} HU, 8 bits"),
    ]
    return facts + [("Made with", ", ".join(f"{k} {v}" for k, v in found.items())) for found in study.versions]


def _table_line(line: TableRow) -> dict[str, Any]:
    return {
        "title": line.title,
        "seeds": line.seeds,
        "cells": [
            {
                "mean": printed(line.intervals[metric.key], metric).partition(" ")[0],
                "ci": printed(line.intervals[metric.key], metric).partition(" ")[2],
                "paper": printed(line.paper[metric.key], metric) if line.has_paper else "",
                "best": metric.key in line.best,
            }
            for metric in METRICS
        ],
    }


def _test_lines(comparisons: Sequence[Comparison]) -> list[dict[str, Any]]:
    """One line for each pair of rows, with a cell for each metric."""
    lines: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for c in comparisons:
        cell = {
            unit: {
                "difference": printed_difference(test, c.metric),
                "p": printed_p(p),
                "raw_p": printed_p(test.p),
                "n": test.n,
                "significant": p is not None and p < _SIGNIFICANT,
            }
            if test
            else None
            for unit, test, p in (
                ("seeds", c.over_seeds, c.p_seeds),
                ("participants", c.over_participants, c.p_participants),
            )
        }
        lines.setdefault((c.held, c.first, c.second), []).append(cell)
    return [{"held": h, "first": a, "second": b, "cells": cells} for (h, a, b), cells in lines.items()]


def _beyond_reach(comparisons: Sequence[Comparison]) -> str:
    """A sentence where the participants are too few for any corrected p below 0.05; empty where they are not."""
    n = max((c.over_participants.n for c in comparisons), default=0)
    tests = sum(c.over_participants.p is not None for c in comparisons)
    smallest = min(1.0, tests * 2.0 ** (1 - n))
    if not tests or smallest < _SIGNIFICANT:
        return ""
    return (
        f"Over participants (at most {n} a pair) nothing can be significant here: the smallest p that {tests} tests "
        f"leave possible after correction is {smallest:.2g}."
    )


def _smallest_p(study: Study) -> str:
    """The smallest two-sided p that a signed-rank test of so many participants can give, for print."""
    n = max((len(row.participant_ids) for row in study.rows), default=0)
    return f"{min(1.0, 2.0 ** (1 - n)):.2g} with {n} participants"

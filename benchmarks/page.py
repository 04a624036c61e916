"""One table of ratios, and the dated page with its JSON."""

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.harness import RatioRow, StageResult
from benchmarks.machine import kind

__all__ = ["ratio_table", "write_page"]

FORMAT = 1
"""Of the JSON; `compare.py` reads it."""


def ratio_table(results: Sequence[StageResult]) -> str:
    """All ratios as one Markdown table."""
    lines = [
        "| comparison | ratio | minimum | median | maximum | target | |",
        "| --- | --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for result in results:
        for row in result.ratios:
            figures = " | ".join(_number(value) for value in (row.minimum, row.median, row.maximum, row.target))
            remarks = "; ".join(filter(None, (_verdict(row), row.note)))
            lines.append(f"| {result.name} | {row.name} | {figures} | {remarks} |")
    return "\n".join(lines) + "\n"


def write_page(
    folder: Path,
    results: Sequence[StageResult],
    machine: dict[str, Any],
    mode: str,
    texts: Sequence[str] = (),
    what: str = "",
) -> Path:
    """Write `<date>-<what>-<machine kind>.md` and `.json`; the day's next run of the same replaces its page.

    Args:
        folder: Where.
        results: The stages.
        machine: What `machine.describe` tells.
        mode: What was run, for the page's head.
        texts: Further sections in Markdown.
        what: Of the file's name; nothing for `make bench`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    today = date.today().isoformat()
    path = folder / f"{'-'.join(filter(None, (today, what, kind(machine))))}.md"
    sections = [_head(machine, mode, today), ratio_table(results), *(_sides(result) for result in results), *texts]
    path.write_text("\n".join(sections), encoding="utf-8")
    stored = {"format": FORMAT, "date": today, "mode": mode, "machine": machine}
    stored["stages"] = [result.to_json() for result in results]
    path.with_suffix(".json").write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    return path


def _head(machine: dict[str, Any], mode: str, today: str) -> str:
    facts = "\n".join(f"- {name.replace('_', ' ')}: {value}" for name, value in machine.items())
    return (
        f"# Benchmarks, {today}\n\n{mode}\n\n{facts}\n\nRatios are taken within a round, in which all sides run one "
        "after the other, each in its own process; more than 1 is better. `limit 30` is limit over measured. Memory "
        "and notes are of the first round.\n"
    )


def _sides(result: StageResult) -> str:
    lines = [
        f"## {result.name}\n",
        f"Load average before: {result.load:.1f}. Took {result.seconds:.0f} s.\n",
        f"| side | minimum {result.unit} | median | maximum | rounds | peak memory GiB | |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for name, side in result.sides.items():
        row = RatioRow.of(name, side.values)
        figures = " | ".join(_number(value) for value in (row.minimum, row.median, row.maximum))
        memory = _number(max(side.peaks_gib, default=None))
        notes = f"failed: {side.failure}" if side.failure else _details(side.details)
        lines.append(f"| {name} | {figures} | {len(side.values)} | {memory} | {notes} |")
    return "\n".join(lines) + "\n"


def _details(details: dict[str, Any]) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {_number(value) if isinstance(value, float) else value}"
        for name, value in details.items()
    )


def _verdict(row: RatioRow) -> str:
    if row.median is None or row.failure:
        return f"failed: {row.failure}"
    if row.target is None:
        return ""
    return "met" if row.median >= row.target else "**missed**"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"

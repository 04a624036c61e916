"""The table, tests, figures and page of a study: `python -m sct.summarize experiment=table`, with the words of sct.run.

Words that choose cells (a sweep; model, loss, seed or fold) mean exactly these cells. Without such words, everything of
the experiment that lies in the runs folder is taken, and a hole in its grid is a gap.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from sct._sweep import Plan
    from sct.study.cells import Cell

__all__ = ["main", "summarize"]


def main() -> None:
    """Parse the command line and summarize."""
    from sct._sweep import words_door

    words_door(summarize, "summarize")


def summarize(arguments: Sequence[str]) -> None:
    """Print the table, and write it with tests, figures and page under `runs/<cohort>/<experiment>/summary/`.

    Raises:
        SctError: A mistake in the words; missing cells without `allow_missing=true`; cells that do not belong together.
    """
    import shlex
    from pathlib import Path

    from sct._sweep import plan_cells
    from sct.study.reading import read_study
    from sct.study.summary import write_summary

    plan = plan_cells(arguments, "summarize")
    runs, options = Path(plan.config.runs), plan.config.summary
    study = read_study(
        _cells(plan, runs), runs, bool(plan.config.allow_missing), scope=options.scope, average=options.average
    )
    summary = write_summary(
        study,
        runs,
        runs / study.cohort / plan.experiment / "summary",
        " ".join(["python -m sct.summarize", shlex.join(arguments)]).strip(),
        with_paper=bool(options.paper),
        n_examples=int(options.examples),
    )
    print(summary.text)
    for path in summary.paths:
        print(path)


def _cells(plan: "Plan", runs: "Path") -> "list[Cell]":
    from sct.study.discovery import expected_grid, present_cells

    if plan.names_cells:
        return [planned.cell for planned in plan.cells]
    cells = present_cells(runs, str(plan.config.cohort.name), plan.experiment)
    return expected_grid(cells, runs)


if __name__ == "__main__":
    main()

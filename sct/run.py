"""Train and test: `python -m sct.run model=light_unet loss=mix`.

Makes and prepares what is missing, then works through the cells that the words name: one per fold, or with `-m` (or in
an experiment that is a sweep) one per combination and fold. A finished cell is skipped, an unfinished one goes on.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sct.core.errors import SctError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from sct.core.gray import Window
    from sct.study.cells import Cell

__all__ = ["main", "run"]


def main() -> None:
    """Parse the command line and run."""
    from sct._door import hydra_door, one_line_errors
    from sct._preflight import needs_plan

    words = sys.argv[1:]
    if needs_plan(words):
        one_line_errors(lambda: _run_sweep(words))
    else:
        hydra_door(run, "run")


def _run_sweep(words: Sequence[str]) -> None:
    """Check all jobs before the first begins, then start them."""
    from sct._door import error_line, hydra_app
    from sct._preflight import checked_plan
    from sct._slurm import submitted, wait_for
    from sct._sweep import sweeps_of
    from sct._sweep_end import check_all_done

    plan = checked_plan(words)
    if plan.config.launcher.name == "local_gpus":
        from sct._local_gpus import run_on_gpus

        run_on_gpus(plan, words)
        return
    is_slurm = plan.config.launcher.name == "slurm"
    before = submitted(plan.config) if is_slurm else set()
    trouble = None
    for sweep in sweeps_of(plan, words):
        sys.argv[1:] = sweep
        try:
            hydra_app(run, "run")
        except Exception as error:  # of the first job that failed; on SLURM others still run
            if error_line(error) is None:
                raise
            trouble = trouble or error
    if trouble and is_slurm:
        wait_for(submitted(plan.config) - before)
    check_all_done(plan, (trouble and error_line(trouble)) or "")
    if trouble:
        raise trouble


def run(cfg: "DictConfig") -> None:
    """Run all folds that the configuration names, for one combination of model, loss and seed.

    A failing cell does not stop the others.

    Raises:
        SctError: A mistake in the configuration or the data; or at the end, when cells failed.
    """
    from sct._cell import CellRunner
    from sct._cells import job_cells
    from sct._preflight import check_participants
    from sct._settings import check_configuration
    from sct.preparation.summary import failures
    from sct.prepare import ensure_prepared
    from sct.study.cells import failure_line

    jobs = job_cells(cfg)  # first: a name, seed or fold that cannot be is told before the cohort is prepared
    check_configuration(jobs[0][0])
    check_participants(cfg, [cell for _, cell in jobs])
    prepared = ensure_prepared(cfg)
    if prepared.failed:
        print(failures(prepared))
    runner = CellRunner(prepared.store)
    runs = Path(cfg.runs)
    for config, cell in jobs:  # a subset too small is told before others are trained
        runner.split(config, cell)
    failed = [cell for config, cell in jobs if not runner.run(config, cell)]
    mistakes = []
    if failed:
        reasons = "; ".join(f"{cell.label}: {failure_line(cell.folder(runs))}" for cell in failed)
        mistakes = [f"{len(failed)} of {len(jobs)} cells failed, the same command tries them again ({reasons})"]
    for seed_cells in _by_seed(jobs):
        try:
            _show(seed_cells, runs, runner.window)
        except SctError as error:
            mistakes.append(str(error))
    if prepared.failed:  # again, where it is not scrolled away
        print(failures(prepared))
    if mistakes:
        raise SctError("; ".join(mistakes))


def _by_seed(jobs: "list[tuple[DictConfig, Cell]]") -> "list[list[tuple[DictConfig, Cell]]]":
    """Cells that differ in their fold alone."""
    groups: dict[Cell, list[tuple[DictConfig, Cell]]] = {}
    for config, cell in jobs:
        groups.setdefault(replace(cell, fold=0), []).append((config, cell))
    return list(groups.values())


def _show(jobs: "list[tuple[DictConfig, Cell]]", runs: Path, window: "Window") -> None:
    """Keep the seed's figures when all folds are there; print them and where the pictures are."""
    from sct.study.seeds import cells_table, keep_seed_metrics

    config, first = jobs[0]
    n_folds = 1 if config.experiment.condition == "separate" else config.data.n_folds
    pooled = keep_seed_metrics(first, n_folds, runs, window)
    cells = [cell for _, cell in jobs if (cell.folder(runs) / "metrics.json").exists()]
    if not cells:
        return
    print(f"\n{first.cohort} / {first.experiment} / {first.model} / {first.loss} / seed {first.seed}")
    print(cells_table(cells, runs, n_folds, pooled))
    for cell in cells:
        picture = cell.folder(runs) / "figure.png"
        if picture.exists():
            print(f"picture of fold {cell.fold}: {picture}")


if __name__ == "__main__":
    main()

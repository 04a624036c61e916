"""Mistakes of a whole sweep, told before the first of its jobs begins."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sct._door import SWEEP_FLAGS
from sct.core.errors import SctError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from sct._sweep import Plan
    from sct.study.cells import Cell
    from sct.study.subsets import Subset

__all__ = ["check_participants", "checked_plan", "needs_plan"]

_PLANNED = ("experiment=", "launcher=")


def needs_plan(words: Sequence[str]) -> bool:
    """Whether the words may stand for more than one job; flags such as `--help` are for Hydra alone."""
    if any(word.startswith("-") and word not in SWEEP_FLAGS for word in words):
        return False
    return any(word in SWEEP_FLAGS or word.startswith(_PLANNED) for word in words)


def checked_plan(words: Sequence[str]) -> "Plan":
    """The plan of a sweep whose every job can begin.

    Raises:
        SctError: Two experiments at once; a seed, fold, column or value that is not there; a wrong value in any job; a
            subset smaller than the number of folds; no SLURM for launcher=slurm. A sweep would meet them in one of its
            jobs, after having trained in others.
        hydra.errors.HydraException: Unknown choices, keys, or grammar.
    """
    from sct._settings import check_configuration
    from sct._slurm import check_slurm
    from sct._sweep import plan_cells

    def check(config: "DictConfig") -> None:
        check_configuration(config, on_this_machine=config.launcher.name != "slurm")

    plan = plan_cells(words, check=check)
    check_participants(plan.config, [planned.cell for planned in plan.cells])
    if plan.config.launcher.name == "slurm":
        check_slurm()
    return plan


def check_participants(config: "DictConfig", cells: "Sequence[Cell]") -> None:
    """See whether the cohort has the participants that its cells need; some may still prove unfit when prepared.

    Raises:
        SctError: No cohort folder; fewer participants than folds; in a generalizability experiment a column or value
            that is not there, a subset smaller than the number of folds, or one without others to train on.
    """
    from sct._participants import participant_rows
    from sct.study.subsets import subset_of
    from sct.training.folds import fold_of

    if config.launcher.name == "slurm" and not config.cohort.get("phantom") and not Path(config.cohort.root).is_dir():
        return  # a login node need not see the data
    if config.experiment.condition is None:  # also under a name that only looks like a subset's
        fold_of([str(k) for k in range(len(participant_rows(config)))], config.data.n_folds)
        return
    for subset in sorted({subset for cell in cells if (subset := subset_of(cell.experiment))}):
        _check_subset(config, subset)


def _check_subset(config: "DictConfig", subset: "Subset") -> None:
    """Somebody must be in the subset, in cross-validation somebody in each fold, in `separate` somebody outside."""
    from sct._door import word
    from sct._participants import participant_rows, values_of_column

    values = values_of_column(config, subset.column)
    if subset.value not in map(word, values):
        raise SctError(
            f"experiment.value={subset.value}: nobody has this {subset.column}; there are {', '.join(values)}"
        )
    rows = participant_rows(config)
    n = sum(word(row.get(subset.column, "")) == subset.value for row in rows)
    n_folds = int(config.data.n_folds)
    if subset.condition == "separate" and n == sum(bool(row.get(subset.column)) for row in rows):
        raise SctError(
            f"experiment.value={subset.value}: everybody has this {subset.column}, so nobody is left to train on for "
            "experiment.condition=separate; take another experiment.column"
        )
    if subset.condition != "separate" and n < n_folds:
        raise SctError(
            f"experiment.value={subset.value}: {n} participant{' has' if n == 1 else 's have'} this {subset.column}, "
            f"too few for data.n_folds={n_folds}; take fewer folds, another experiment.value, or a column that makes "
            "larger groups"
        )

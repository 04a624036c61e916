"""Which cells lie in a folder of runs, and which grid they would fill."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from sct.core.errors import SctError
from sct.study.cells import Cell
from sct.study.settings import read_config
from sct.study.subsets import subset_of

__all__ = ["expected_grid", "present_cells"]

_NUMBERED = re.compile(r"(?:seed|fold)-(\d+)")


def present_cells(runs: Path, cohort: str, experiment: str) -> list[Cell]:
    """Cells of an experiment that were begun, finished or not, in order.

    A folder that holds nothing was claimed and left again because of a mistake in the words: it is no cell.

    Raises:
        SctError: There is none.
    """
    root = Path(runs) / cohort / experiment
    cells = []
    for folder in root.glob("*/*/seed-*/fold-*"):
        seed, fold = (_NUMBERED.fullmatch(name) for name in (folder.parent.name, folder.name))
        if seed and fold and any(folder.glob("[!.]*")):
            model, loss = folder.parts[-4:-2]
            cells.append(Cell(cohort, experiment, model, loss, int(seed[1]), int(fold[1])))
    if not cells:
        raise SctError(f"{root}: no run folders; `python -m sct.run` with the same words makes them")
    return sorted(cells)


def expected_grid(cells: Sequence[Cell], runs: Path) -> list[Cell]:
    """The grid that present cells are part of: every model and loss, every seed, all folds of their configuration.

    Classical baselines have seed 0 only, and the condition `separate` fold 0 only. A hole in the result is a gap that
    somebody should know of.

    Raises:
        SctError: A configuration cannot be read.
    """
    n_folds = _n_folds(cells, runs)
    seeds = sorted({cell.seed for cell in cells if cell.loss != "none"})
    rows = dict.fromkeys((cell.experiment, cell.model, cell.loss) for cell in cells)
    return [
        Cell(cells[0].cohort, experiment, model, loss, seed, fold)
        for experiment, model, loss in rows
        for seed in ([0] if loss == "none" else seeds)
        for fold in ([0] if _is_separate(experiment) else range(n_folds))
    ]


def _is_separate(experiment: str) -> bool:
    subset = subset_of(experiment)
    return subset is not None and subset.condition == "separate"


def _n_folds(cells: Iterable[Cell], runs: Path) -> int:
    """Number of folds by the first configuration that lies there, else by the folds seen."""
    cells = list(cells)
    for cell in cells:
        path = cell.folder(runs) / "config.yaml"
        if path.exists():
            return int(read_config(path)["data"]["n_folds"])
    return 1 + max(cell.fold for cell in cells)

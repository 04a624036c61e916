"""All folds of one seed: pooled over all their test pixels, kept beside them and shown on the screen."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sct.core.errors import SctError
from sct.core.figures import figures
from sct.core.files import read_json, write_json
from sct.core.gray import Window
from sct.core.sums import SumsTable
from sct.study.cells import Cell, CellState, state_of
from sct.study.paper import METRICS, Metric
from sct.study.table import UNDEFINED

__all__ = ["cells_table", "keep_seed_metrics"]


def keep_seed_metrics(cell: Cell, n_folds: int, runs: Path, window: Window) -> dict[str, Any] | None:
    """Write `metrics.json` of a seed when all its folds are there, atomically, whoever comes last.

    Args:
        cell: Any fold of the seed.
        n_folds: How many there are.
        runs: Folder of the runs.
        window: The CT window of the gray scale.

    Returns:
        The figures pooled over all pixels of all folds; None while a fold is missing.

    Raises:
        SctError: A fold's sums cannot be read; a participant was tested in two folds.
    """
    folder = cell.seed_folder(runs)
    folds = [folder / f"fold-{k}" for k in range(n_folds)]
    if any(state_of(fold) is not CellState.DONE for fold in folds):
        return None
    pooled = SumsTable()
    tested: dict[str, Path] = {}
    for fold in folds:
        table = SumsTable.read_csv(fold / "sums.csv")
        for name in table.by_participant():
            if name in tested:
                raise SctError(f"{folder}: {name} was tested both in {tested[name].name} and in {fold.name}")
            tested[name] = fold
        pooled.add(table)
    found = figures(pooled.pooled(), window=window)
    found["n_participants"] = len(tested)
    write_json(folder / "metrics.json", found)
    return found


def cells_table(cells: Sequence[Cell], runs: Path, n_folds: int, pooled: dict[str, Any] | None = None) -> str:
    """The figures of finished cells as lines of text, one a fold, and below those of all `n_folds` together."""
    rows = [
        (f"fold {cell.fold}", read_json(cell.folder(runs) / "metrics.json"))
        for cell in cells
        if state_of(cell.folder(runs)) is CellState.DONE
    ]
    if pooled is not None:
        rows.append((f"all {n_folds} folds" if n_folds > 1 else "all folds", pooled))
    lines = [["", *(metric.heading for metric in METRICS), "slices"]]
    for name, found in rows:
        lines.append([name, *(_printed(found[metric.key], metric) for metric in METRICS), str(found["n_slices"])])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)) for line in lines)


def _printed(value: float | None, metric: Metric) -> str:
    return UNDEFINED if value is None else f"{value * metric.scale:.{metric.digits}f}"

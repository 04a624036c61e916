"""Run folders -> figures per row and seed, pooled over folds from the sums."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sct.core.errors import SctError
from sct.core.figures import figures
from sct.core.files import read_json
from sct.core.gray import Window
from sct.core.sums import SumsTable
from sct.study.cells import Cell, CellState, state_of
from sct.study.paper import order_in_print
from sct.study.results import ParticipantFigures, Row, SeedResult, Study, window_of
from sct.study.settings import SettingsCheck
from sct.study.subsets import subset_of

__all__ = ["AVERAGES", "SCOPES", "read_study"]

AVERAGES = ("pixels", "participants", "slices")
SCOPES = ("frame", "mask")
_AGAIN = "remove the run folder and run the cell again"


def read_study(
    cells: Sequence[Cell], runs: Path, allow_missing: bool = False, scope: str = "frame", average: str = "pixels"
) -> Study:
    """Read the cells of one cohort.

    Args:
        cells: The expected cells.
        runs: The folder of run folders.
        allow_missing: Go on without the cells that are not done, and without the seeds that lack one of them.
        scope: Pixels that count: "frame" (the paper's reading) or "mask".
        average: "pixels" pools all pixels of all folds (the paper's reading); "participants" and "slices" give each
            participant or slice the same weight (slices need cells made with metrics.rows=slice).

    Raises:
        SctError: Cells are missing; settings differ under one name; a file is damaged; a participant is in two folds.
    """
    for key, value, known in (("scope", scope, SCOPES), ("average", average, AVERAGES)):
        if value not in known:
            raise SctError(f"summary.{key}={value}: one of {', '.join(known)}")
    missing = [cell for cell in cells if state_of(cell.folder(runs)) is not CellState.DONE]
    if len(missing) == len(cells):
        raise SctError(
            f"{runs}: none of the {len(cells)} cells is done; `python -m sct.ledger` with the same words shows"
        )
    if missing and not allow_missing:
        raise SctError(
            f"{len(missing)} of {len(cells)} cells are missing: {_named(missing)}; "
            "`python -m sct.ledger` with the same words prints the command, allow_missing=true goes on without them"
        )
    absent = set(missing)
    groups: dict[tuple[str, str, str], dict[int, list[Cell]]] = {}
    for cell in cells:
        groups.setdefault((cell.experiment, cell.model, cell.loss), {}).setdefault(cell.seed, []).append(cell)
    check = SettingsCheck()
    rows: list[Row] = []
    versions: set[str] = set()
    with _progress(len(cells) - len(missing)) as progress:
        for (experiment, model, loss), seeds in groups.items():
            results = []
            incomplete: dict[int, tuple[int, ...]] = {}
            for seed, expected in sorted(seeds.items()):
                members = [cell for cell in expected if cell not in absent]
                folds = tuple(sorted(cell.fold for cell in members))
                table = _pooled_table(members, runs, check, progress)
                if len(members) == len(expected):
                    results.append(_seed_result(seed, folds, table, window_of(check.config or {}), scope, average))
                else:  # tested on other people than the rest: its figures must not be beside theirs
                    incomplete[seed] = folds
                written = (cell.folder(runs) / "versions.json" for cell in members)
                versions |= {json.dumps(_record(path)) for path in written if path.exists()}
            if results or any(incomplete.values()):
                rows.append(Row(experiment, model, loss, tuple(results), incomplete))
    _same_slices(rows, int((check.config or {})["data"]["n_folds"]))
    rows.sort(key=lambda row: (row.experiment, *order_in_print(row.model, row.loss)))
    return Study(
        cells[0].cohort,
        tuple(rows),
        tuple(missing),
        check.config or {},
        scope,
        average,
        tuple(json.loads(text) for text in sorted(versions)),
    )


def _pooled_table(cells: Iterable[Cell], runs: Path, check: SettingsCheck, progress: Any) -> SumsTable:
    """The sums of one repetition's folds in one table."""
    table = SumsTable()
    for cell in sorted(cells):
        folder = cell.folder(runs)
        check.add(cell, folder)
        part = SumsTable.read_csv(folder / "sums.csv")
        counts = _slice_counts(part)
        split = _record(folder / "split.json")
        check.add_slices(cell, folder, split.get("store_fingerprint"))
        expected = split.get("test", {})
        if counts != expected:
            odd = min(name for name in counts.keys() | expected.keys() if counts.get(name) != expected.get(name))
            raise SctError(
                f"{folder}/sums.csv: {counts.get(odd, 0)} slices of {odd}, but {expected.get(odd, 0)} in split.json; "
                + _AGAIN
            )
        twice = counts.keys() & {key[0] for key in table.rows}
        if twice:
            raise SctError(f"{folder}: {min(twice)} is tested in another fold too; these folds are not of one split")
        try:
            table.add(part)
        except ValueError as error:
            raise SctError(f"{folder}/sums.csv: {error}; other folds summed other thresholds") from error
        progress.update()
    return table


def _slice_counts(table: SumsTable) -> dict[str, int]:
    counts: dict[str, int] = {}
    for key, row in table.rows.items():
        counts[key[0]] = counts.get(key[0], 0) + row["n_slices"]
    return counts


def _seed_result(
    seed: int, folds: tuple[int, ...], table: SumsTable, window: Window, scope: str, average: str
) -> SeedResult:
    people = {name: figures(sums, window=window) for name, sums in table.by_participant().items()}
    if average == "participants":
        pooled = _mean_figures(list(people.values()))
    elif average == "slices":
        if any(len(key) < 3 for key in table.rows):
            raise SctError(
                "summary.average=slices: the cells' sums have rows by plane; run them with metrics.rows=slice"
            )
        pooled = _mean_figures([figures(row, window=window) for row in table.rows.values()])
    else:
        pooled = figures(table.pooled(), window=window)
    return SeedResult(
        seed, folds, _scoped(pooled, scope), {name: _scalars(_scoped(p, scope)) for name, p in people.items()}
    )


def _scoped(values: Mapping[str, Any], scope: str) -> dict[str, Any]:
    chosen = values["in_mask"] if scope == "mask" else {k: v for k, v in values.items() if k != "in_mask"}
    return {**chosen, "n_slices": values["n_slices"]}


def _scalars(values: Mapping[str, Any]) -> ParticipantFigures:
    scalars = {key: value for key, value in values.items() if value is None or isinstance(value, int | float)}
    return scalars | {f"mae_hu_{tissue}": value for tissue, value in values["mae_hu_by_tissue"].items()}


def _mean_figures(members: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Member-wise means; undefined where a member is. Counts are added."""
    return {
        key: sum(member[key] for member in members) if key.startswith("n_") else _mean([m[key] for m in members])
        for key in members[0]
    }


def _mean(values: Sequence[Any]) -> Any:
    if isinstance(values[0], Mapping):
        return _mean_figures(values)
    if isinstance(values[0], list):
        return [_mean(column) for column in zip(*values, strict=True)]
    return None if any(value is None for value in values) else sum(values) / len(values)


def _same_slices(rows: Iterable[Row], n_folds: int) -> None:
    """Repetitions of the same folds were tested on the same slices, whatever the model or condition."""
    first: dict[tuple[str, tuple[int, ...]], tuple[str, list[str], int]] = {}
    for row in rows:
        subset = subset_of(row.experiment)
        name = f"{subset.column}-{subset.value}" if subset else row.experiment
        everything = (0,) if subset and subset.condition == "separate" else tuple(range(n_folds))
        for result in row.seeds:
            label = f"{row.experiment}/{row.model}/{row.loss}/seed-{result.seed}"
            now = (label, sorted(result.participants), int(result.figures["n_slices"]))
            before = first.setdefault((name, () if result.folds == everything else result.folds), now)
            if before[1:] != now[1:]:
                raise SctError(
                    f"{label}: tested on {len(now[1])} participants and {now[2]} slices, but {before[0]} on "
                    f"{len(before[1])} and {before[2]}: the store changed between them; run one of them again"
                )


def _record(path: Path) -> dict[str, Any]:
    """A JSON object of a run folder."""
    found = read_json(path)
    if not isinstance(found, dict):
        raise SctError(f"{path}: holds no JSON object; {_AGAIN}")
    return found


def _named(cells: Sequence[Cell], most: int = 8) -> str:
    """Names of the first cells, and how many more there are."""
    several = len({cell.experiment for cell in cells}) > 1
    names = [f"{cell.experiment}/{cell.label}" if several else cell.label for cell in cells[:most]]
    return ", ".join(names) + (f" and {len(cells) - most} more" if len(cells) > most else "")


def _progress(total: int) -> Any:
    from tqdm import tqdm

    # None: no bar in a file, where an error's line would begin behind it
    return tqdm(total=total, desc="reading cells", unit="cell", mininterval=1, leave=False, disable=None)

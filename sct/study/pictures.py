"""The paper's Fig 1 and Fig 2: example slices, the real pair, then each network or loss with its difference map."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sct.core.gray import Window, gray8_to_hu
from sct.study.cells import Cell
from sct.study.examples import Examples, read_examples
from sct.study.paper import title_of_loss, title_of_model
from sct.study.results import Row, Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "comparison_picture",
    "difference_hu",
    "difference_limit_hu",
    "examples_of",
    "loss_picture",
    "network_picture",
]

_MOST_COLUMNS = 9
"""Three networks, four classical baselines and two published lines."""
_LOSS_ORDER = ("mae", "mix-4.4", "mse")


def network_picture(study: Study, runs: Path, n_examples: int = 4) -> "tuple[str, Figure] | None":
    """Fig 1: a column for each network, all under one loss (MAE loss where there is a choice), then the baselines.

    Returns:
        What the columns share, and the figure; None when no cell kept examples.
    """
    trained = [row for row in study.rows if row.loss != "none"]
    loss = _commonest([row.loss for row in trained], _LOSS_ORDER)
    rows = [row for row in trained if row.loss == loss] + [row for row in study.rows if row.loss == "none"]
    columns = {title_of_model(row.model): examples_of(study, row, runs) for row in rows[:_MOST_COLUMNS]}
    figure = comparison_picture(columns, n_examples)
    what = f"{title_of_loss(loss)} loss" if loss else "baselines"
    return None if figure is None else (what + _of_many(rows), figure)


def loss_picture(study: Study, runs: Path, n_examples: int = 4) -> "tuple[str, Figure] | None":
    """Fig 2: a column for each loss of one network (Light U-Net where there is a choice).

    Returns:
        The network, and the figure; None when no network has two losses or no cell kept examples.
    """
    trained = [row for row in study.rows if row.loss != "none"]
    model = _commonest([row.model for row in trained], ("light_unet",))
    rows = [row for row in trained if row.model == model]
    if len(rows) < 2:
        return None
    columns = {title_of_loss(row.loss): examples_of(study, row, runs) for row in rows[:_MOST_COLUMNS]}
    figure = comparison_picture(columns, n_examples)
    return None if figure is None else (title_of_model(str(model)) + _of_many(rows), figure)


def _of_many(rows: Sequence[Row]) -> str:
    return f", the first {_MOST_COLUMNS} of {len(rows)}" if len(rows) > _MOST_COLUMNS else ""


def examples_of(study: Study, row: Row, runs: Path) -> list[Examples]:
    """The examples that the folds of a row's first repetition kept; folds without any are passed over."""
    if not row.seeds:
        return []
    first = row.seeds[0]
    cells = [Cell(study.cohort, row.experiment, row.model, row.loss, first.seed, fold) for fold in first.folds]
    paths = [cell.folder(runs) / "examples.npz" for cell in cells]
    return [read_examples(path) for path in paths if path.exists()]


def comparison_picture(columns: Mapping[str, Sequence[Examples]], n_examples: int = 4) -> "Figure | None":
    """Rows of examples: real MR above real CT, then for each column the sCT above its difference to the CT in HU.

    Red: sCT darker than CT (too few HU); blue: sCT brighter. All difference maps share one scale.

    Args:
        columns: Column title -> examples; columns without any fall out, and slices that not all of the others hold.
        n_examples: Most rows of examples.
    """
    from matplotlib.figure import Figure

    filled = {title: _by_key(found) for title, found in columns.items() if found}
    shared = [key for key in next(iter(filled.values()), {}) if all(key in found for found in filled.values())]
    keys = _varied(shared, n_examples)
    if not keys:
        return None
    limit_hu = difference_limit_hu([difference_hu(*found[key]) for found in filled.values() for key in keys])
    figure = Figure(figsize=(1.75 * (1 + len(filled)) + 0.9, 3.5 * len(keys) + 0.4), layout="constrained")
    axes = figure.subplots(2 * len(keys), 1 + len(filled), squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for i, key in enumerate(keys):
        mr_axis, ct_axis = axes[2 * i, 0], axes[2 * i + 1, 0]
        (examples, k) = next(iter(filled.values()))[key]
        mr_axis.imshow(examples.mr[k], cmap="gray", vmin=0, vmax=255)
        ct_axis.imshow(examples.ct[k], cmap="gray", vmin=0, vmax=255)
        ct_axis.set_title("CT" if i == 0 else "", fontsize=7)
        mr_axis.set_title(f"MR\n{key[0]}, {key[1]} {key[2]}" if i == 0 else f"{key[0]}, {key[1]} {key[2]}", fontsize=7)
        for j, (title, found) in enumerate(filled.items(), start=1):
            examples, k = found[key]
            axes[2 * i, j].imshow(examples.sct[k], cmap="gray", vmin=0, vmax=255)
            axes[2 * i, j].set_title(title if i == 0 else "", fontsize=8)
            picture = axes[2 * i + 1, j].imshow(
                difference_hu(examples, k), cmap="RdBu", vmin=-limit_hu, vmax=limit_hu, interpolation="nearest"
            )
    bar = figure.colorbar(picture, ax=axes, shrink=0.4, aspect=40)
    bar.set_label("sCT - CT (HU); red: sCT darker, blue: brighter", fontsize=8)
    return figure


def difference_hu(examples: Examples, k: int) -> NDArray[np.float64]:
    """Predicted minus real CT of example k in HU, (S, S)."""
    window = Window(*examples.window_hu)
    return gray8_to_hu(examples.sct[k], window) - gray8_to_hu(examples.ct[k], window)


def difference_limit_hu(differences_hu: Sequence[NDArray[np.float64]]) -> float:
    """A round limit that 99.5 % of the pixels stay within, at least 100 HU."""
    reached = float(np.quantile(np.abs(np.stack(differences_hu)), 0.995))
    return max(100.0, float(np.ceil(reached / 100) * 100))


def _by_key(found: Sequence[Examples]) -> dict[tuple[str, str, int], tuple[Examples, int]]:
    return {key: (examples, k) for examples in found for k, key in enumerate(examples.keys())}


def _varied(keys: Sequence[tuple[str, str, int]], most: int) -> list[tuple[str, str, int]]:
    """Up to `most` keys, as many different participants as there are, and the planes in turn."""
    people: dict[str, list[tuple[str, str, int]]] = {}
    for key in keys:
        people.setdefault(key[0], []).append(key)
    chosen: list[tuple[str, str, int]] = []
    turn = 0
    while len(chosen) < min(most, len(keys)):
        for own in people.values():
            if own and len(chosen) < most:
                chosen.append(own.pop(turn % len(own)))
                turn += 1
    return chosen


def _commonest(names: Sequence[str], preferred: Sequence[str]) -> str | None:
    """The name that occurs most often; among equals a preferred one, then the first."""
    if not names:
        return None
    rank = {name: -i for i, name in enumerate(reversed(preferred), start=1)}
    return min(dict.fromkeys(names), key=lambda name: (-names.count(name), rank.get(name, 0)))

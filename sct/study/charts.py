"""Charts of a study: bone curves, spread over participants, error by tissue, and the front of precision and recall."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sct.core.files import atomic_path
from sct.core.gray import gray_to_hu
from sct.core.statistics import mean_interval
from sct.study.paper import title_of_loss, title_of_model
from sct.study.results import Row, Study, row_title
from sct.study.subsets import subset_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "alpha_of",
    "bone_curves",
    "participant_spread",
    "precision_recall_front",
    "save_png",
    "tissue_errors",
]

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31")
"""Okabe and Ito's palette, told apart by colour-blind eyes, and one more."""
_STYLES = ("-", "--", ":", "-.", (0, (6, 1)), (0, (3, 1, 1, 1, 1, 1)), (0, (1, 3)), (0, (8, 2, 2, 2)))
_TISSUE_TITLES = {"air": "Air", "soft": "Soft tissue", "bone": "Bone"}

Name = Callable[[Row], str]


def save_png(figure: "Figure", path: Path, dots_per_inch: int = 130) -> None:
    """Write a figure atomically.

    Raises:
        SctError: The file cannot be written.
    """
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=dots_per_inch, format="png")


def bone_curves(study: Study, rows: Sequence[Row], name: Name = row_title) -> "Figure":
    """Precision, recall and Dice against the threshold in HU; mean over seeds, the band is its 95 % CI."""
    figure = _figure(11, 4.2 + 0.16 * len(rows))
    axes = figure.subplots(1, 3, sharey=True, sharex=True)
    colours, styles = _looks(rows)
    for axis, key in zip(axes, ("bone_precision", "bone_recall", "bone_dice"), strict=True):
        for row in rows:
            if not row.seeds:
                continue
            hu = gray_to_hu(np.array(row.seeds[0].figures["thresholds"]), study.window)
            mean, low, high = _curve(row, f"{key}_curve")
            look = {"color": colours[row], "linestyle": styles[row]}
            axis.plot(hu, mean, label=name(row), marker=".", **look)
            axis.fill_between(hu, low, high, color=colours[row], alpha=0.15, linewidth=0)
        axis.set(title=key.removeprefix("bone_").capitalize(), xlabel="threshold (HU)", ylim=(0, 1))
        axis.grid(alpha=0.3)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return figure


def participant_spread(rows: Sequence[Row], name: Name = row_title) -> "Figure":
    """MAE and bone Dice of each participant (mean over seeds): dots, and a box of quartiles and median for each row."""
    figure = _figure(11, 1.4 + 0.42 * len(rows))
    axes = figure.subplots(1, 2, sharey=True)
    colours, _ = _looks(rows)
    for axis, (key, label) in zip(axes, (("mae_hu", "MAE (HU)"), ("bone_dice", "Bone Dice")), strict=True):
        for place, row in enumerate(rows):
            values = np.array(list(row.of_participants(key).values()))
            if len(values) == 0:
                continue
            low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
            axis.barh(place, high - low, left=low, height=0.6, color=colours[row], alpha=0.25)
            axis.plot([middle, middle], [place - 0.3, place + 0.3], color=colours[row])
            jitter = np.linspace(-0.2, 0.2, len(values)) if len(values) > 1 else np.zeros(1)
            axis.plot(values, place + jitter, ".", color=colours[row], alpha=0.8)
        axis.set(xlabel=label)
        axis.grid(axis="x", alpha=0.3)
    _name_rows(axes[0], rows, name)
    return figure


def tissue_errors(rows: Sequence[Row], name: Name = row_title) -> "Figure":
    """MAE by the CT's tissue class: mean over seeds with its 95 % CI."""
    figure = _figure(11, 1.4 + 0.3 * len(rows))
    axes = figure.subplots(1, 3, sharey=True)
    colours, _ = _looks(rows)
    for axis, (tissue, title) in zip(axes, _TISSUE_TITLES.items(), strict=True):
        for place, row in enumerate(rows):
            values = [seed.figures["mae_hu_by_tissue"][tissue] for seed in row.seeds]
            interval = None if any(value is None for value in values) else mean_interval(values)
            if interval is None:
                continue
            half = interval.mean - interval.low if interval.low is not None else 0.0
            axis.errorbar(interval.mean, place, xerr=half, fmt="o", color=colours[row], capsize=3)
        axis.set(title=title, xlabel="MAE (HU)")
        axis.set_xlim(left=0)
        axis.grid(axis="x", alpha=0.3)
    _name_rows(axes[0], rows, name)
    return figure


def precision_recall_front(rows: Sequence[Row]) -> "Figure | None":
    """Bone precision against recall, a line from MAE (alpha = 0) over the mix losses to MSE for each model.

    Returns:
        None unless some model has at least three such losses.
    """
    lines: dict[str, list[tuple[float, Row]]] = {}
    for row in rows:
        alpha = alpha_of(row.loss)
        if alpha is not None and row.interval("bone_precision") and row.interval("bone_recall"):
            lines.setdefault(row.model, []).append((alpha, row))
    lines = {model: sorted(points, key=lambda point: point[0]) for model, points in lines.items() if len(points) > 2}
    if not lines:
        return None
    figure = _figure(6.5, 5.2)
    axis = figure.subplots()
    for (model, points), colour in zip(lines.items(), _COLOURS * len(lines), strict=False):
        recalls, precisions = ([row.interval(key) for _, row in points] for key in ("bone_recall", "bone_precision"))
        x, y = ([interval.mean for interval in found if interval] for found in (recalls, precisions))
        axis.errorbar(
            x,
            y,
            xerr=_halves(recalls),
            yerr=_halves(precisions),
            fmt="o-",
            color=colour,
            capsize=2,
            label=title_of_model(model),
        )
        for (_, row), place in zip(points, zip(x, y, strict=True), strict=True):
            text = title_of_loss(row.loss).removeprefix("mix (").removesuffix(")")
            axis.annotate(text, place, xytext=(5, 5), textcoords="offset points", fontsize=8)
    axis.set(xlabel="bone recall", ylabel="bone precision")
    axis.grid(alpha=0.3)
    axis.legend(frameon=False)
    return figure


def alpha_of(loss: str) -> float | None:
    """Weight of the squared term in L1 + alpha L2: 0 for `mae`, infinite for `mse`, None for another kind of loss."""
    if loss in {"mae", "mse"}:
        return 0.0 if loss == "mae" else float("inf")
    try:
        return float(loss.removeprefix("mix-")) if loss.startswith("mix-") else None
    except ValueError:
        return None


def _figure(width_in: float, height_in: float) -> "Figure":
    """A figure outside pyplot, so that no window system or global state is touched."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), layout="constrained")


def _curve(row: Row, key: str) -> tuple[Any, Any, Any]:
    """Mean, low and high over seeds at each threshold; NaN where a seed's value is undefined."""
    columns = zip(*(seed.figures[key] for seed in row.seeds), strict=True)
    ends = []
    for column in columns:
        interval = None if any(value is None for value in column) else mean_interval(column)
        if interval is None:
            ends.append((np.nan, np.nan, np.nan))
        else:
            low = interval.mean if interval.low is None else interval.low
            ends.append((interval.mean, low, 2 * interval.mean - low))
    mean, low, high = np.array(ends, dtype=np.float64).T
    return mean, low, high


def _looks(rows: Sequence[Row]) -> tuple[dict[Row, str], dict[Row, Any]]:
    """Colour and line style of each row, which together tell the rows apart.

    Colour is the model, or the loss where there is one model, or the condition of a generalizability experiment.
    """
    one_model = len({row.model for row in rows}) == 1
    pairs: list[tuple[str, str]] = []
    for row in rows:
        subset, loss = subset_of(row.experiment), f"{row.experiment}/{row.loss}"
        if subset:
            pairs.append((subset.condition, f"{subset.column}-{subset.value}/{row.model}/{row.loss}"))
        else:
            pairs.append((loss, row.model) if one_model else (row.model, loss))
    outer, inner = (list(dict.fromkeys(keys)) for keys in zip(*pairs, strict=True))
    colours, styles = {}, {}
    for row, (first, second) in zip(rows, pairs, strict=True):
        turn, place = divmod(outer.index(first), len(_COLOURS))
        colours[row] = _COLOURS[place]
        styles[row] = _STYLES[(inner.index(second) + turn) % len(_STYLES)]
    return colours, styles


def _name_rows(axis: Any, rows: Sequence[Row], name: Name) -> None:
    axis.set_yticks(range(len(rows)), [name(row) for row in rows])
    axis.set_ylim(len(rows) - 0.5, -0.5)


def _halves(intervals: Sequence[Any]) -> list[float]:
    return [interval.mean - interval.low if interval.low is not None else 0.0 for interval in intervals]

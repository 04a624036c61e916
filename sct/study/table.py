"""The paper's table: rows of model and loss, six columns of mean (95 % CI), as Markdown, CSV and LaTeX."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sct.core.statistics import Interval
from sct.study.paper import METRICS, Metric, paper_interval, title_of_loss, title_of_model
from sct.study.results import Row, Study

__all__ = [
    "UNDEFINED",
    "TableRow",
    "csv_table",
    "latex_table",
    "left_out",
    "markdown_table",
    "printed",
    "sample_size",
    "table_rows",
    "text_table",
]

UNDEFINED = "—"


@dataclass(frozen=True)
class TableRow:
    """One row as it is printed.

    Attributes:
        row: The repetitions behind it.
        title: What stands in the first columns, for instance model and loss.
        intervals: Mean and CI over seeds by metric key; None where undefined.
        paper: The printed figures likewise; None where the paper has no such row.
        best: Keys of the metrics in which no other row of the table has a better mean.
    """

    row: Row
    title: tuple[str, ...]
    intervals: dict[str, Interval | None]
    paper: dict[str, Interval | None]
    best: frozenset[str]

    @property
    def seeds(self) -> str:
        """How many repetitions count, and of how many where some of them lack folds."""
        n = len(self.row.seeds)
        return f"{n} of {n + len(self.row.incomplete)}" if self.row.incomplete else str(n)

    @property
    def has_paper(self) -> bool:
        """Whether the paper printed this row."""
        return any(interval is not None for interval in self.paper.values())


def _model_and_loss(row: Row) -> tuple[str, ...]:
    return title_of_model(row.model), title_of_loss(row.loss)


def table_rows(
    rows: Sequence[Row], title: Callable[[Row], tuple[str, ...]] = _model_and_loss, with_paper: bool = True
) -> list[TableRow]:
    """Rows of one table, the best of each column marked (with a single row, nothing is)."""
    intervals = [{metric.key: row.interval(metric.key) for metric in METRICS} for row in rows]
    best: list[set[str]] = [set() for _ in rows]
    for metric in METRICS:
        means = [found[metric.key].mean if found[metric.key] else None for found in intervals]  # type: ignore[union-attr]
        defined = [mean for mean in means if mean is not None]
        if len(defined) > 1:
            top = min(defined) if metric.lower_is_better else max(defined)
            for i, mean in enumerate(means):
                if mean == top:
                    best[i].add(metric.key)
    return [
        TableRow(
            row,
            title(row),
            found,
            {m.key: paper_interval(row.model, row.loss, m) if with_paper else None for m in METRICS},
            frozenset(marked),
        )
        for row, found, marked in zip(rows, intervals, best, strict=True)
    ]


def printed(interval: Interval | None, metric: Metric) -> str:
    """For instance "95.6 (94.4-96.9)" with an en dash, "95.6" for one seed, an em dash where undefined."""
    if interval is None:
        return UNDEFINED
    mean = f"{interval.mean * metric.scale:.{metric.digits}f}"
    if interval.low is None or interval.high is None:
        return mean
    low, high = (f"{end * metric.scale:.{metric.digits}f}" for end in (interval.low, interval.high))
    dash = " to " if low.startswith("-") or high.startswith("-") else "–"
    return f"{mean} ({low}{dash}{high})"


def sample_size(rows: Iterable[Row]) -> str:
    """The n of a table in one sentence: what the seeds that count have."""
    rows = list(rows)
    counted = [row for row in rows if row.seeds]
    parts = [
        _range([len(row.seeds) for row in rows], "seed"),
        _range([row.n_folds for row in counted], "fold"),
        _range([len(row.participant_ids) for row in counted], "participant"),
        _range([row.n_slices for row in counted], "test slice"),
    ]
    return f"n: {parts[0]} x {parts[1]}; {parts[2]} and {parts[3]} a seed."


def left_out(rows: Iterable[TableRow]) -> str:
    """A sentence that names the seeds begun but not finished, which count nowhere; empty where there are none."""
    names = [
        f"{', '.join(line.title)}: seed {seed} (has fold {', '.join(map(str, folds))})"
        for line in rows
        for seed, folds in line.row.incomplete.items()
        if folds
    ]
    if not names:
        return ""
    return (
        f"Seeds that lack folds are in no mean, interval, test or picture: {'; '.join(names)}. "
        "Words such as fold=0,1 read the folds that every seed has."
    )


def _range(counts: Sequence[int], noun: str) -> str:
    low, high = min(counts, default=0), max(counts, default=0)
    number = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    return f"{number} {noun}{'' if high == 1 else 's'}"


def text_table(headings: Sequence[str], lines: Iterable[Sequence[str]], n_texts: int) -> str:
    """GitHub Markdown of cells that are text already; all but the first `n_texts` columns to the right."""
    rows = [headings, ["---"] * n_texts + ["---:"] * (len(headings) - n_texts), *lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def markdown_table(rows: Sequence[TableRow], headings: Sequence[str] = ("Model", "Loss")) -> str:
    """GitHub Markdown; the best in bold, the paper's figures in italics in a row below."""
    lines = []
    for line in rows:
        cells = [printed(line.intervals[metric.key], metric) for metric in METRICS]
        cells = [f"**{text}**" if m.key in line.best else text for text, m in zip(cells, METRICS, strict=True)]
        lines.append([*line.title, line.seeds, *cells])
        if line.has_paper:
            cells = [f"*{printed(line.paper[metric.key], metric)}*" for metric in METRICS]
            lines.append(["*paper*", *[""] * (len(headings) - 1), "*10*", *cells])
    return text_table([*headings, "Seeds", *(metric.heading for metric in METRICS)], lines, len(headings))


def csv_table(rows: Sequence[TableRow], study: Study) -> str:
    """Unrounded numbers in HU and HU^2, empty where undefined, the paper's beside ours, and how they were read."""
    ends = ("mean", "low", "high")
    header = ["scope", "average", "experiment", "model", "loss"]
    header += ["n_seeds", "n_incomplete_seeds", "n_folds", "n_participants", "n_slices"]
    header += [f"{metric.key}_{end}" for metric in METRICS for end in ends]
    header += [f"paper_{metric.key}_{end}" for metric in METRICS for end in ends]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for line in rows:
        row = line.row
        values: list[object] = [study.scope, study.average, row.experiment, row.model, row.loss]
        values += [len(row.seeds), len(row.incomplete), row.n_folds, len(row.participant_ids), row.n_slices]
        for source in (line.intervals, line.paper):
            for metric in METRICS:
                interval = source[metric.key]
                values += ["" if interval is None or (v := getattr(interval, end)) is None else repr(v) for end in ends]
        writer.writerow(values)
    return text.getvalue()


def latex_table(rows: Sequence[TableRow], headings: Sequence[str] = ("Model", "Loss"), note: str = "") -> str:
    r"""A `booktabs` tabular; the best in \textbf, the paper's figures in \textit in a row below, a note under all."""
    width = len(headings)
    lines = [
        r"\begin{tabular}{" + "l" * width + "r" * (len(METRICS) + 1) + "}",
        r"\toprule",
        " & ".join(_latex(text) for text in [*headings, "Seeds", *(metric.heading for metric in METRICS)]) + r" \\",
        r"\midrule",
    ]
    for line in rows:
        cells = [_latex(printed(line.intervals[metric.key], metric)) for metric in METRICS]
        cells = [rf"\textbf{{{text}}}" if m.key in line.best else text for text, m in zip(cells, METRICS, strict=True)]
        title = [_latex(text) for text in line.title]
        lines.append(" & ".join([*title, line.seeds, *cells]) + r" \\")
        if line.has_paper:
            cells = [rf"\textit{{{_latex(printed(line.paper[metric.key], metric))}}}" for metric in METRICS]
            lines.append(" & ".join([r"\textit{paper}", *[""] * (width - 1), r"\textit{10}", *cells]) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    if note:
        lines += [r"\par\smallskip", rf"{{\footnotesize {_latex(note)}\par}}"]
    return "\n".join(lines) + "\n"


_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "—": "---",
    "α": r"$\alpha$",
    "³": r"$^3$",
    "²": r"$^2$",
}


def _latex(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in text)

"""Everything that a study has to show, written into one folder: tables, tests, figures and the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sct.core.files import write_text
from sct.study.charts import bone_curves, participant_spread, precision_recall_front, save_png, tissue_errors
from sct.study.comparisons import (
    between_losses,
    between_models,
    csv_comparisons,
    markdown_comparisons,
    with_baselines,
)
from sct.study.generalizability import condition_rows, condition_tests, subset_name
from sct.study.pictures import loss_picture, network_picture
from sct.study.report import Picture, render_report
from sct.study.results import Row, Study, row_title
from sct.study.subsets import subset_of
from sct.study.table import csv_table, latex_table, left_out, markdown_table, sample_size, table_rows
from sct.study.volume_tables import volume_tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Summary", "write_summary"]

_PICTURE_FILES = ("networks", "losses", "front", "curves", "spread", "tissue")


@dataclass(frozen=True)
class Summary:
    """What was written.

    Attributes:
        text: The table and its n, as Markdown.
        paths: The files.
    """

    text: str
    paths: tuple[Path, ...]


def write_summary(
    study: Study, runs: Path, folder: Path, command: str, with_paper: bool = True, n_examples: int = 4
) -> Summary:
    """Write table.md, table.csv, table.tex, tests.md, tests.csv, volumes.md, the figures as PNG and report.html.

    Experiments named `<column>-<value>-<condition>` are shown by subset with the conditions side by side; others as the
    paper's table of model and loss.

    Args:
        study: What was read.
        runs: The folder of run folders, where the example slices are.
        folder: Where to write; figures of an earlier summary that no longer apply are removed.
        command: The command that made the page, for print.
        with_paper: Print the paper's figures beside ours, where ours are read as the paper's are.
        n_examples: Most rows of example pictures; 0 for no pictures.

    Raises:
        SctError: A file cannot be written, or example slices or scores of volumes cannot be read.
    """
    by_subset = all(subset_of(row.experiment) for row in study.rows)
    if by_subset:
        headings: tuple[str, ...] = ("Test subset", "Condition", "Model and loss")
        rows = condition_rows(study.rows)
        tests = {"Conditions": condition_tests(study.rows)}
    else:
        headings = ("Model", "Loss")
        rows = table_rows(study.rows, with_paper=with_paper and study.is_papers_reading)
        tests = {
            "Models": between_models(study.rows),
            "Losses": between_losses(study.rows),
            "Networks against classical baselines": with_baselines(study.rows),
        }
    tests = {family: found for family, found in tests.items() if found}
    notes = [text for text in (sample_size(study.rows), study.reading, left_out(rows)) if text]
    families = [f"## {family}\n\n{markdown_comparisons(found)}" for family, found in tests.items()]
    texts = {
        "table.md": "\n\n".join([markdown_table(rows, headings).rstrip("\n"), *notes]) + "\n" + _missing_lines(study),
        "table.csv": csv_table(rows, study),
        "table.tex": latex_table(rows, headings, " ".join(notes)),
        "tests.md": "\n".join([*families, f"{study.reading}\n"]),
        "tests.csv": csv_comparisons(tests, study),
    }
    named = [(", ".join(line.title) if by_subset else row_title(line.row), line.row) for line in rows]
    volumes = volume_tables(study, named, runs)
    if volumes:
        texts["volumes.md"] = "\n".join(table.markdown() for table in volumes)
    else:
        (folder / "volumes.md").unlink(missing_ok=True)
    for name, text in texts.items():
        write_text(folder / name, text)
    pictures = _pictures(study, [line.row for line in rows], runs, folder, by_subset, n_examples)
    write_text(folder / "report.html", render_report(study, rows, headings, tests, volumes, pictures, command))
    paths = [folder / "report.html", *(folder / name for name in texts), *(picture.path for picture in pictures)]
    return Summary(texts["table.md"], tuple(paths))


def _missing_lines(study: Study) -> str:
    if not study.missing:
        return ""
    names = "".join(f"- {cell.experiment}/{cell.label}\n" for cell in study.missing)
    return f"\n{len(study.missing)} cells are missing; the figures above are without them:\n\n{names}"


def _pictures(
    study: Study, rows: Sequence[Row], runs: Path, folder: Path, by_subset: bool, n_examples: int
) -> list[Picture]:
    """Draw and save every figure that applies, in the order of the page."""

    def name(row: Row) -> str:
        subset = subset_of(row.experiment)
        return f"{subset_name(row)}, {subset.condition}" if by_subset and subset else row_title(row)

    seeds = "mean over seeds"
    drawn: list[tuple[str, str, str, Figure]] = []
    if n_examples > 0 and not by_subset:
        networks = network_picture(study, runs, n_examples)
        losses = loss_picture(study, runs, n_examples)
        explanation = (
            "First column: real MR above real CT. Then the synthetic CT above its difference to the CT in HU. "
            "Red: synthetic CT darker than CT; blue: brighter. Window as the CT's."
        )
        if networks:
            drawn.append(("networks", f"Examples by network, {networks[0]}", explanation, networks[1]))
        if losses:
            drawn.append(("losses", f"Examples by loss, {losses[0]}", explanation, losses[1]))
    front = None if by_subset else precision_recall_front(rows)
    if front:
        text = "From MAE loss (alpha = 0) over the mix losses L1 + alpha L2 to MSE loss; bars: 95 % CI over seeds."
        drawn.append(("front", "Bone precision against recall", text, front))
    text = f"Pixels at or above the threshold are bone, in CT and synthetic CT alike; {seeds}, band: its 95 % CI."
    drawn.append(("curves", "Bone against the threshold", text, bone_curves(study, rows, name)))
    text = f"Dots: participants ({seeds}); box: quartiles and median."
    drawn.append(("spread", "Spread over participants", text, participant_spread(rows, name)))
    text = f"Air: CT below -200 HU; bone: 300 HU and above; soft tissue between; {seeds}, bars: its 95 % CI."
    drawn.append(("tissue", "MAE by tissue class of the CT", text, tissue_errors(rows, name)))
    for file in set(_PICTURE_FILES) - {file for file, *_ in drawn}:
        (folder / f"{file}.png").unlink(missing_ok=True)
    pictures = []
    for file, title, caption, figure in drawn:
        path = folder / f"{file}.png"
        save_png(figure, path)
        pictures.append(Picture(title, caption, path))
    return pictures

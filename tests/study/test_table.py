"""The table as Markdown, CSV and LaTeX says one and the same, and the paper's figures are those in print."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from study.fabricated import grid, make_runs

from sct.core.statistics import Interval
from sct.study.paper import METRICS, PAPER, order_in_print, paper_interval, title_of_loss
from sct.study.reading import read_study
from sct.study.table import csv_table, latex_table, left_out, markdown_table, printed, sample_size, table_rows

MAE, MSE, R = METRICS[:3]


@pytest.fixture(scope="module")
def study(finished):
    runs, cells = finished
    return read_study(cells, runs)


def test_print_has_the_papers_form():
    assert printed(Interval(95.64, 94.4, 96.91, 10), MAE) == "95.6 (94.4–96.9)"
    assert printed(Interval(54_300, 53_100, 55_500, 10), MSE) == "54.3 (53.1–55.5)"
    assert printed(Interval(0.8716, None, None, 1), R) == "0.872"
    assert printed(Interval(-0.01, -0.05, 0.03, 3), R) == "-0.010 (-0.050 to 0.030)"
    assert printed(None, R) == "—"


def test_the_papers_table_is_whole_and_its_intervals_hold_their_means():
    assert set(PAPER) == {(m, x) for m in ("light_unet", "vgg_unet", "vgg_unet_tl") for x in ("mae", "mse", "mix-4.4")}
    for model, loss in PAPER:
        for metric in METRICS:
            interval = paper_interval(model, loss, metric)
            assert interval.low < interval.mean < interval.high
            assert interval.n == 10
    assert printed(paper_interval("vgg_unet", "mse", METRICS[1]), METRICS[1]) == "55.1 (52.2–58.0)"
    assert paper_interval("threshold", "none", MAE) is None
    # findings F1 and F6 as PAPER.md states them hold in the transcribed figures
    for loss in ("mae", "mse", "mix-4.4"):
        for metric in (MAE, MSE):
            light, *others = (paper_interval(m, loss, metric).mean for m in ("light_unet", "vgg_unet", "vgg_unet_tl"))
            assert light < min(others)
    for model in ("light_unet", "vgg_unet", "vgg_unet_tl"):
        assert paper_interval(model, "mae", MAE).mean < paper_interval(model, "mse", MAE).mean


def test_best_is_marked_once_a_column_unless_equal(study):
    rows = table_rows(study.rows)
    for metric in METRICS:
        means = [line.intervals[metric.key].mean for line in rows]
        best = (min if metric.lower_is_better else max)(means)
        assert [metric.key in line.best for line in rows] == [mean == best for mean in means]
    assert table_rows(study.rows[:1])[0].best == frozenset()
    twice = table_rows([study.rows[0], study.rows[0]])
    assert all(line.best == {metric.key for metric in METRICS} for line in twice)


def test_csv_gives_the_numbers_back_exactly(study):
    rows = table_rows(study.rows)
    read = list(csv.DictReader(io.StringIO(csv_table(rows, study))))
    assert [(r["model"], r["loss"], int(r["n_seeds"])) for r in read] == [
        (line.row.model, line.row.loss, len(line.row.seeds)) for line in rows
    ]
    for record, line in zip(read, rows, strict=True):
        interval = line.intervals["mse_hu2"]
        assert float(record["mse_hu2_mean"]) == interval.mean
        assert record["mse_hu2_low"] == ("" if interval.low is None else repr(interval.low))
    assert float(read[0]["paper_mae_hu_mean"]) == 95.6
    assert read[-1]["paper_mae_hu_mean"] == ""


def test_markdown_has_as_many_cells_in_each_line(study):
    text = markdown_table(table_rows(study.rows))
    lines = text.splitlines()
    assert {line.count("|") for line in lines} == {10}
    assert len(lines) == 2 + 10 + 9  # nine rows are in print
    assert text.count("**") == 2 * 6
    assert "*paper*" not in markdown_table(table_rows(study.rows, with_paper=False))


def test_latex_is_balanced_and_escaped(study):
    text = latex_table(table_rows(study.rows), note="95 % & more, α = 4.4")
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {line.count(" & ") for line in body} == {8}
    assert text.count("{") == text.count("}")
    assert text.isascii()
    assert r"mix ($\alpha$ = 4.4)" in text
    assert text.index(r"\end{tabular}") < text.index(r"95 \% \& more, $\alpha$ = 4.4")


@given(st.text(alphabet="_&%$#{}~^\\ab", max_size=20))
def test_latex_escapes_every_special_letter(name):
    from sct.study.table import _latex

    plain = _latex(name)
    for escaped in (
        r"\textbackslash{}",
        r"\textasciitilde{}",
        r"\textasciicircum{}",
        r"\&",
        r"\%",
        r"\$",
        r"\#",
        r"\_",
    ):
        plain = plain.replace(escaped, "")
    plain = plain.replace(r"\{", "").replace(r"\}", "")
    assert set(plain) <= {"a", "b"}


def test_n_is_said(study, tmp_path):
    assert sample_size(study.rows) == "n: 1 to 6 seeds x 4 folds; 8 participants and 24 test slices a seed."
    small = read_study(make_runs(tmp_path, grid(("light_unet",), ("mae",), 1, baselines=())), tmp_path)
    assert sample_size(small.rows) == "n: 1 seed x 4 folds; 8 participants and 24 test slices a seed."


def test_a_seed_that_lacks_folds_is_marked_and_counts_nowhere(tmp_path):
    cells = make_runs(tmp_path, grid(("light_unet", "vgg_unet"), ("mae",), 2, baselines=()))
    for cell in cells[4:6] + cells[8:9] + cells[12:13]:  # light: half of seed 1; vgg: a fold of each seed
        (cell.folder(tmp_path) / "metrics.json").unlink()
    study = read_study(cells, tmp_path, allow_missing=True)
    rows = table_rows(study.rows)
    assert [line.seeds for line in rows] == ["1 of 2", "0 of 2"]
    assert "| Light U-Net | MAE | 1 of 2 |" in markdown_table(rows)
    assert all(interval is None for interval in rows[1].intervals.values())
    assert rows[1].best == frozenset()
    assert sample_size(study.rows) == "n: 0 to 1 seed x 4 folds; 8 participants and 24 test slices a seed."
    assert "Light U-Net, MAE: seed 1 (has fold 2, 3); VGG U-Net, MAE: seed 0 (has fold 1, 2, 3);" in left_out(rows)
    record = list(csv.DictReader(io.StringIO(csv_table(rows, study))))[1]
    assert (record["n_seeds"], record["n_incomplete_seeds"], record["mae_hu_mean"]) == ("0", "2", "")


def test_order_and_titles():
    names = [
        ("threshold", "none"),
        ("smp-unet", "mae"),
        ("light_unet", "mix-10"),
        ("light_unet", "mix-2"),
        ("light_unet", "mse"),
    ]
    assert sorted(names, key=lambda name: order_in_print(*name)) == [names[i] for i in (4, 3, 2, 1, 0)]
    assert title_of_loss("mix-4.4") == "mix (α = 4.4)"
    assert title_of_loss("focal") == "focal"

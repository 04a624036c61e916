"""The door `sct.summarize`: the same words as the sweep, tables and page in their place, gaps refused."""

import csv
import subprocess
import sys

import pytest
from doors import exit_code
from study.fabricated import grid, make_cell, make_runs
from study.test_comparisons import generalizability_cells

from sct.study.cells import Cell


def run(monkeypatch, *words):
    return exit_code(monkeypatch, "summarize", *words)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells = make_runs(
        tmp_path / "runs", grid(("light_unet", "vgg_unet"), ("mae", "mse"), 2, experiment="main"), examples=1
    )
    return tmp_path, cells


def records(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_without_words_everything_that_lies_there(folder, monkeypatch, capsys):
    tmp_path, _ = folder
    assert run(monkeypatch) == 0
    out = capsys.readouterr().out
    assert "| Light U-Net | MAE | 2 |" in out
    assert "runs/phantom/main/summary/report.html" in out
    rows = records(tmp_path / "runs/phantom/main/summary/table.csv")
    assert [(row["model"], row["loss"]) for row in rows] == [
        ("light_unet", "mae"),
        ("light_unet", "mse"),
        ("vgg_unet", "mae"),
        ("vgg_unet", "mse"),
        ("log_inversion", "none"),
    ]
    assert run(monkeypatch, "summary.examples=0") == 0  # its own folder is no cell


def test_words_mean_exactly_these_cells(folder, monkeypatch):
    tmp_path, _ = folder
    assert run(monkeypatch, "model=light_unet,log_inversion", "loss=mse", "seed=0,1", "summary.examples=0") == 0
    rows = records(tmp_path / "runs/phantom/main/summary/table.csv")
    assert [(row["model"], row["n_seeds"]) for row in rows] == [("light_unet", "2"), ("log_inversion", "1")]
    assert not (tmp_path / "runs/phantom/main/summary/networks.png").exists()


def test_a_gap_is_refused_by_name_and_allowed_by_a_key(folder, monkeypatch, capsys):
    tmp_path, cells = folder
    (cells[1].folder(tmp_path / "runs") / "metrics.json").unlink()
    for words in ([], ["model=light_unet", "loss=mae", "seed=0,1"]):
        assert run(monkeypatch, *words) == 1
        err = capsys.readouterr().err.splitlines()[-1]
        assert "cells are missing: light_unet/mae/seed-0/fold-1;" in err
    assert not (tmp_path / "runs/phantom/main/summary").exists()
    assert run(monkeypatch, "allow_missing=true", "summary.examples=0") == 0
    assert "- main/light_unet/mae/seed-0/fold-1" in capsys.readouterr().out


def test_cells_of_different_settings_are_refused(folder, monkeypatch, capsys):
    tmp_path, cells = folder
    make_cell(tmp_path / "runs", cells[2], optim__lr=0.5)
    assert run(monkeypatch) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: ")  # no bar before it where nobody watches
    assert "fold-2/config.yaml: other settings than light_unet/mae/seed-0/fold-0" in err
    assert "optim.lr: 0.001 before, 0.5 now" in err


def test_scope_and_average_are_keys_that_every_file_names(folder, monkeypatch):
    tmp_path, _ = folder
    summary = tmp_path / "runs/phantom/main/summary"
    found = set()
    for scope, average in (("frame", "pixels"), ("mask", "pixels"), ("frame", "participants")):
        words = [f"summary.scope={scope}", f"summary.average={average}"]
        assert run(monkeypatch, "summary.examples=0", *words) == 0
        first = records(summary / "table.csv")[0]
        found.add((first["mae_hu_mean"], first["bone_dice_mean"]))
        for name in ("table.csv", "tests.csv"):
            assert {(row["scope"], row["average"]) for row in records(summary / name)} == {(scope, average)}
        is_papers = (scope, average) == ("frame", "pixels")
        assert first["paper_mae_hu_mean"] == ("95.6" if is_papers else "")
        for name in ("table.md", "table.tex", "tests.md", "report.html"):
            text = (summary / name).read_text(encoding="utf-8").replace(r"\_", "_")
            assert f"(summary.scope={scope}, summary.average={average})." in text
            assert ("95.6" in text) == (is_papers and name != "tests.md")
    assert len(found) == 3
    assert run(monkeypatch, "summary.examples=0", "summary.paper=false") == 0
    assert records(summary / "table.csv")[0]["paper_mae_hu_mean"] == ""


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["experiment.name=nix"], "runs/phantom/nix: no run folders"),
        (["summary.scope=body"], "summary.scope=body: one of frame, mask"),
        (["summary.average=median"], "summary.average=median: one of pixels, participants, slices"),
        (["summary.average=slices"], "metrics.rows=slice"),
        (["experiment=main,table"], "two experiments at once"),
        (["cohort=phatnom"], "cohort=phatnom: no such choice; did you mean phantom"),
    ],
)
def test_mistakes_end_with_1_in_one_line(folder, monkeypatch, capsys, words, line):
    assert run(monkeypatch, *words) == 1
    err = capsys.readouterr().err.splitlines()[-1]
    assert err.startswith("error: ")
    assert line in err


def test_generalizability_by_explicit_names(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    cells = [cell for cell in generalizability_cells(2) if "-1-" in cell.experiment]
    make_runs(tmp_path / "runs", cells)
    words = ["experiment.column=institution", "experiment.value=1", "experiment.condition=baseline,separate,augmented"]
    names = ["experiment.name=${experiment.column}-${experiment.value}-${experiment.condition}", "seed=0,1"]
    assert run(monkeypatch, *words, *names) == 0
    out = capsys.readouterr().out
    assert "| institution = 1 | baseline | Light U-Net, MAE | 2 |" in out
    assert "| institution = 1 | separate | Light U-Net, MAE | 2 |" in out
    assert (tmp_path / "runs/phantom/institution/summary/report.html").exists()


def test_as_a_program(folder):
    command = [sys.executable, "-m", "sct.summarize"]
    done = subprocess.run([*command, "model=light_unet", "seed=7"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True)
    assert "sct.summarize is powered by Hydra" in done.stdout
    assert "light_unet" in done.stdout


def test_a_baseline_alone_is_a_study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_runs(tmp_path / "runs", [Cell("phantom", "main", "threshold", "none", 0, fold) for fold in range(4)])
    assert run(monkeypatch, "model=threshold") == 0

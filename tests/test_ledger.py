"""The door `sct.ledger`: counts, command, exit codes, errors in one line."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from doors import TINY, TINY_TRAINING, exit_code
from study.fabricated import grid, make_runs

WORDS = ["-m", "model=light_unet,log_inversion", "loss=mae,mix", "seed=0,1", "experiment.name=table"]


def run(monkeypatch, *words):
    return exit_code(monkeypatch, "ledger", *words)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells = make_runs(tmp_path / "runs", grid(("light_unet",), ("mae", "mix-4.4"), 2), examples=0)
    return tmp_path, cells


def test_all_done_ends_with_0(folder, monkeypatch, capsys):
    assert run(monkeypatch, *WORDS) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1].split() == ["all", "20", "0", "0", "0"]
    assert "sct.run" not in out


def test_open_cells_end_with_3_and_a_command_that_names_exactly_them(folder, monkeypatch, capsys):
    tmp_path, cells = folder
    gone = [cell for cell in cells if cell.loss == "mix-4.4" and cell.seed == 1]
    for cell in gone:
        (cell.folder(tmp_path / "runs") / "metrics.json").unlink()
    (gone[0].folder(tmp_path / "runs") / "error.txt").write_text("Traceback\nValueError: no luck\n")
    assert run(monkeypatch, *WORDS) == 3
    out = capsys.readouterr().out
    assert "failed: light_unet/mix-4.4/seed-1/fold-0: ValueError: no luck" in out
    assert "the 4 cells that are failed or missing" in out
    command = out.splitlines()[-1].strip()
    assert command == "python -m sct.run model=light_unet loss=mix seed=1 experiment.name=table"
    # the same words in the ledger name the open cells only
    assert run(monkeypatch, *shlex.split(command)[3:]) == 3
    assert capsys.readouterr().out.splitlines()[2].split() == ["all", "0", "0", "1", "3"]


def test_the_printed_command_makes_the_missing_cells_in_a_shell(tiny):
    words = [*TINY, *TINY_TRAINING, "trainer.max_epochs=1", "examples=0", "loss=mae,mse", "fold=[0]", "runs='my runs'"]
    words += ["+cohort.where.sex=[M,F]", "+cohort.where.age={max: 99}"]
    answer = tiny("ledger", *words)
    assert answer.code == 3, answer.err
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = answer.out.splitlines()[-1]
    done = subprocess.run(
        command, shell=True, cwd=tiny.folder, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert len(list((tiny.folder / "my runs").rglob("fold-0/metrics.json"))) == 2
    assert tiny("ledger", *words).code == 0


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["model=light"], "error: model=light: no such choice; did you mean light_unet?"),
        (["modle=light_unet"], "error: modle: no such key"),
        (["seed=x"], "error: seed=x: give a whole number"),
        (["loss=mae,"], "error: "),
        (["experiment=hospital", "experiment.value=9"], "error: experiment.value=9: nobody has this institution"),
        (
            ["experiment=hospital", "experiment.column=field_strength", "cohort.phantom.participants=4"],
            "error: experiment.value=3.0: everybody has this field_strength",
        ),
        (
            ["experiment=hospital", "experiment.column=age", "experiment.condition=baseline"],
            "error: experiment.value=0.07: 1 participant has this age, too few for data.n_folds=4",
        ),
    ],
)
def test_mistakes_end_with_1_in_one_line(folder, monkeypatch, capsys, words, line):
    assert run(monkeypatch, *words) == 1
    err = capsys.readouterr().err
    assert err.startswith(line)
    assert len(err.splitlines()) == 1


def test_a_name_of_ones_own_is_no_subset(folder, monkeypatch, capsys):
    assert run(monkeypatch, "experiment.name=light-first-baseline") == 3
    assert "experiment.name=light-first-baseline" in capsys.readouterr().out


def test_looking_changes_nothing(folder, monkeypatch):
    tmp_path, _ = folder
    before = sorted(tmp_path.rglob("*"))
    run(monkeypatch, "-m", "model=light_unet,vgg_unet", "seed=range(0,3)")
    assert sorted(tmp_path.rglob("*")) == before

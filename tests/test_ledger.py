"""The door `sct.ledger`: counts, command, exit codes, errors in one line."""

import shlex
import sys

import pytest
from study.fabricated import grid, make_runs

from sct.ledger import main

WORDS = ["-m", "model=light_unet,log_inversion", "loss=mae,mix", "seed=0,1", "experiment.name=table"]


def run(monkeypatch, *words):
    """Exit code of the door with these words."""
    monkeypatch.setattr(sys, "argv", ["sct.ledger", *words])
    try:
        main()
    except SystemExit as stop:
        return stop.code or 0
    return 0


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


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["model=light"], "error: model=light: no such choice; did you mean light_unet?"),
        (["modle=light_unet"], "error: modle: no such key"),
        (["seed=x"], "error: seed=x: give a whole number"),
        (["loss=mae,"], "error: "),
    ],
)
def test_mistakes_end_with_1_in_one_line(folder, monkeypatch, capsys, words, line):
    assert run(monkeypatch, *words) == 1
    err = capsys.readouterr().err
    assert err.startswith(line)
    assert len(err.splitlines()) == 1


def test_looking_changes_nothing(folder, monkeypatch):
    tmp_path, _ = folder
    before = sorted(tmp_path.rglob("*"))
    run(monkeypatch, "-m", "model=light_unet,vgg_unet", "seed=range(0,3)")
    assert sorted(tmp_path.rglob("*")) == before

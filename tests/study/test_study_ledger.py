"""States are counted, failures are shown, grids know their holes."""

import pytest
from study.fabricated import grid, make_cell, make_runs

from sct.core.errors import SctError
from sct.study.cells import Cell, CellState
from sct.study.claims import claim
from sct.study.discovery import expected_grid, present_cells
from sct.study.ledger import ledger_text, read_ledger


@pytest.fixture
def mixed(tmp_path):
    """Eight cells: five done, one running, one failed, one missing."""
    cells = grid(("light_unet",), ("mae",), 1)
    make_runs(tmp_path, cells[:5])
    folder = cells[6].folder(tmp_path)
    folder.mkdir(parents=True)
    (folder / "error.txt").write_text("Traceback ...\nRuntimeError: out of memory\n")
    with claim(cells[5].folder(tmp_path)):
        yield tmp_path, cells


def test_states_and_text(mixed):
    runs, cells = mixed
    ledger = read_ledger(cells, runs)
    assert [len(ledger.cells(state)) for state in CellState] == [5, 1, 1, 1]
    assert ledger.cells(CellState.FAILED, CellState.MISSING) == [cells[6], cells[7]]
    assert not ledger.is_complete
    assert read_ledger(cells[:5], runs).is_complete
    lines = ledger_text(ledger).splitlines()
    assert lines[0].split() == ["done", "running", "failed", "missing"]
    assert lines[1].split() == ["light_unet/mae", "4", "0", "0", "0"]
    assert lines[2].split() == ["log_inversion/none", "1", "1", "1", "1"]
    assert lines[3].split() == ["all", "5", "1", "1", "1"]
    assert lines[4] == "failed: log_inversion/none/seed-0/fold-2: RuntimeError: out of memory"


def test_many_failures_are_cut(tmp_path):
    cells = grid(("light_unet",), ("mae",), 10, baselines=())
    for cell in cells:
        cell.folder(tmp_path).mkdir(parents=True)
        (cell.folder(tmp_path) / "error.txt").write_text("no\n")
    assert ledger_text(read_ledger(cells, tmp_path)).splitlines()[-1] == "failed: and 20 more"


def test_what_lies_there_is_found_and_its_holes_are_expected(tmp_path):
    cells = make_runs(tmp_path, grid(("light_unet", "vgg_unet"), ("mae",), 2, experiment="main"))
    for gone in (cells[1], cells[7]):
        (gone.folder(tmp_path) / "metrics.json").unlink()
    (tmp_path / "phantom" / "main" / "summary").mkdir()
    (tmp_path / "phantom" / "main" / "light_unet" / "mae" / "notes").mkdir()
    claimed_only = Cell("phantom", "main", "vgg_unet_tl", "mae", 0, 0).folder(tmp_path)
    claimed_only.mkdir(parents=True)
    (claimed_only / ".claim.lock").touch()
    present = present_cells(tmp_path, "phantom", "main")
    assert present == sorted(cells)
    import shutil

    shutil.rmtree(cells[7].folder(tmp_path))
    assert expected_grid(present_cells(tmp_path, "phantom", "main"), tmp_path) == sorted(cells)
    with pytest.raises(SctError, match="phantom/other: no run folders"):
        present_cells(tmp_path, "phantom", "other")


def test_grids_follow_the_folds_of_the_configuration_and_the_condition(tmp_path):
    cell = Cell("phantom", "main", "light_unet", "mae", 4, 2)
    make_cell(tmp_path, cell, n_folds=5)
    assert [c.fold for c in expected_grid([cell], tmp_path)] == [0, 1, 2, 3, 4]
    separate = Cell("phantom", "institution-1-separate", "light_unet", "mae", 4, 0)
    make_cell(tmp_path, separate)
    assert expected_grid([separate], tmp_path) == [separate]
    unstarted = Cell("phantom", "main", "light_unet", "mse", 0, 1)
    assert [c.fold for c in expected_grid([unstarted], tmp_path)] == [0, 1]

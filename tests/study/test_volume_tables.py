"""Tables of whole-volume scores: means and SDs over participants, computed again by hand."""

import json

import numpy as np
import pytest
from study.fabricated import grid, make_runs

from sct.core.errors import SctError
from sct.study.reading import read_study
from sct.study.summary import write_summary
from sct.study.volume_tables import volume_tables

KEYS = ("mae_hu", "mse_hu2", "pearson_r", "psnr_db", "ssim", "bone_precision", "bone_recall", "bone_dice")


def scores(mae_hu, dice=0.5):
    """What volumes.json holds of one participant; the CT's mask is worth 10 HU."""

    def protocols(shift):
        figures = dict.fromkeys(KEYS, 0.25) | {"mae_hu": mae_hu + shift, "bone_dice": dice}
        inside = {key: figures.pop(key) for key in ("psnr_db", "ssim")}
        on_slices = {**figures, "in_mask": {**figures, **inside}}
        return {
            "slices": {"axial": on_slices, "fused": on_slices},
            **{name: dict.fromkeys(("axial", "fused"), figures | inside) for name in ("synthrad", "bone")},
        }

    quality = {"spearman_r": 0.5, "bone_errors_in_top_share": 0.375}
    return {
        "note": "saturates",
        "protocols": protocols(0),
        "ct_mask": {"protocols": protocols(-10)},
        "uncertainty": quality,
    }


@pytest.fixture
def study(tmp_path):
    """Two seeds of two folds, a participant each; the second's overlap is undefined in one seed."""
    cells = make_runs(tmp_path, grid(("light_unet",), ("mae",), 2, 2, baselines=()), n_participants=2, n_folds=2)
    for cell in cells:
        found = scores(100.0 * (cell.fold + 1) + cell.seed, dice=None if (cell.fold, cell.seed) == (1, 1) else 0.5)
        (cell.folder(tmp_path) / "volumes.json").write_text(json.dumps({f"p{cell.fold:02d}": found}))
    return cells, read_study(cells, tmp_path)


def test_mean_and_sd_over_participants_of_the_mean_over_seeds(study, tmp_path):
    _, read = study
    planes, masks, uncertainty = volume_tables(read, [("Light", read.rows[0])], tmp_path)
    values = [100.5, 200.5]
    line = dict(zip(planes.headings, planes.lines[-1], strict=True))
    assert (line["Row"], line["n"], line["Protocol"], line["Planes"]) == ("Light", "2", "bone", "fused")
    assert line["MAE (HU)"] == f"{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f}"
    assert line["PSNR (dB)"] == "0.2 ± 0.0"
    assert line["Dice"] == "—"  # undefined for somebody
    by_mask = {line[3]: float(line[4].split()[0]) for line in masks.lines if line[2] == "synthrad"}
    assert by_mask == {"MR": 150.5, "CT": 140.5}
    assert uncertainty.lines == (("Light", "2", "0.500 ± 0.000", "37.5 ± 0.0"),)
    assert "saturates" in planes.note


def test_summary_shows_them_where_there_are_any(study, tmp_path):
    cells, read = study
    folder = tmp_path / "summary"
    write_summary(read, tmp_path, folder, "command", n_examples=0)
    assert "| Light U-Net, MAE | 2 | synthrad | fused | 150.5 ± 70.7 |" in (folder / "volumes.md").read_text()
    assert "What the uncertainty map tells" in (folder / "report.html").read_text()
    for cell in cells:
        (cell.folder(tmp_path) / "volumes.json").unlink()
    write_summary(read, tmp_path, folder, "command", n_examples=0)
    assert not (folder / "volumes.md").exists()
    assert "Whole volumes" not in (folder / "report.html").read_text()


def test_a_file_of_something_else_is_refused(study, tmp_path):
    cells, read = study
    (cells[0].folder(tmp_path) / "volumes.json").write_text('{"p00": {"protocols": {}}}')
    with pytest.raises(SctError, match=r"volumes\.json"):
        volume_tables(read, [("Light", read.rows[0])], tmp_path)

"""Figures of a study against the images behind it, and every gap and damage refused by name."""

import shutil

import numpy as np
import pytest
from scipy import stats
from study.fabricated import LAYOUT, grid, head, make_cell, make_runs, prediction

from sct.core.errors import SctError
from sct.core.pixel_sums import quantise
from sct.slices.planes import PLANES
from sct.study.cells import Cell
from sct.study.reading import read_study

torch = pytest.importorskip("torch")


def images_of(cell, participants=range(8), size=16):
    """CT and prediction in HU as the sums see them, one array over all pixels for each participant."""
    pairs = {}
    for participant in participants:
        slices = []
        for plane in range(len(PLANES)):
            ct, mask = head(participant, plane, size)
            y = quantise(torch.from_numpy(prediction(cell, participant, plane, ct))).numpy()
            slices.append(np.stack([ct.astype(np.int64) * 257, y, mask]).reshape(3, -1))
        pairs[f"p{participant:02d}"] = np.concatenate(slices, axis=1)
    return pairs


def truth(pixels):
    """MAE, MSE, R and the bone averages of (3, n) pixels in plain numpy and scipy."""
    x, y = pixels[0], pixels[1]
    hu = 2000 / 65535
    edges = [-(-65535 * percent // 100) for percent in range(40, 75, 5)]
    curves = []
    for edge in edges:
        a, b = x >= edge, y >= edge
        both = (a & b).sum()
        curves.append((both / b.sum(), both / a.sum(), 2 * both / (a.sum() + b.sum())))
    precision, recall, dice = np.mean(curves, axis=0)
    return {
        "mae_hu": np.abs(x - y).mean() * hu,
        "mse_hu2": ((x - y) ** 2).mean() * hu**2,
        "pearson_r": stats.pearsonr(x, y).statistic,
        "bone_precision": precision,
        "bone_recall": recall,
        "bone_dice": dice,
    }


def by_name(study, model, loss):
    return next(row for row in study.rows if (row.model, row.loss) == (model, loss))


def test_figures_are_those_of_all_pixels_of_all_folds(finished):
    runs, cells = finished
    row = by_name(read_study(cells, runs), "vgg_unet", "mse")
    for result in (row.seeds[0], row.seeds[4]):
        everyone = images_of(Cell("phantom", "table", "vgg_unet", "mse", result.seed, 0))
        for key, value in truth(np.concatenate(list(everyone.values()), axis=1)).items():
            assert result.figures[key] == pytest.approx(value, rel=1e-9), key
        for name, pixels in everyone.items():
            for key, value in truth(pixels).items():
                assert result.participants[name][key] == pytest.approx(value, rel=1e-9), (name, key)


def test_counts_and_order_of_rows(finished):
    runs, cells = finished
    study = read_study(cells[::-1], runs)
    names = [(row.model, row.loss) for row in study.rows]
    networks = ("light_unet", "vgg_unet", "vgg_unet_tl")
    assert names == [(m, loss) for m in networks for loss in ("mae", "mse", "mix-4.4")] + [("log_inversion", "none")]
    assert [len(row.seeds) for row in study.rows] == [6] * 9 + [1]
    assert {(row.n_folds, row.n_slices, len(row.participant_ids)) for row in study.rows} == {(4, 24, 8)}
    assert study.is_phantom
    assert study.versions == ({"sct": "0.1.0", "torch": "2.13.0"},)


def test_interval_is_scipys_over_seeds(finished):
    runs, cells = finished
    row = by_name(read_study(cells, runs), "light_unet", "mix-4.4")
    values = [seed.figures["bone_dice"] for seed in row.seeds]
    ours = row.interval("bone_dice")
    low, high = stats.t.interval(0.95, 5, np.mean(values), stats.sem(values))
    assert (ours.mean, ours.low, ours.high) == pytest.approx((np.mean(values), low, high))


def test_scope_and_averages(finished):
    runs, cells = finished
    chosen = [cell for cell in cells if cell.model == "log_inversion"]
    pixels = images_of(chosen[0])
    masked = {name: part[:, part[2] == 1] for name, part in pixels.items()}
    pooled = read_study(chosen, runs, scope="mask").rows[0].seeds[0].figures
    assert pooled["mae_hu"] == pytest.approx(truth(np.concatenate(list(masked.values()), axis=1))["mae_hu"])
    people = read_study(chosen, runs, average="participants").rows[0].seeds[0].figures
    for key in ("mae_hu", "pearson_r", "bone_dice"):
        assert people[key] == pytest.approx(np.mean([truth(part)[key] for part in pixels.values()]))
    with pytest.raises(SctError, match=r"metrics\.rows=slice"):
        read_study(chosen, runs, average="slices")


def test_a_gap_is_refused_and_named_or_printed_and_left_out(tmp_path):
    cells = make_runs(tmp_path, grid(("light_unet",), ("mae", "mse"), 2, baselines=()))
    gone = [cells[5], cells[9]]
    for cell in gone:
        (cell.folder(tmp_path) / "metrics.json").unlink()
    with pytest.raises(
        SctError, match=r"2 of 16 cells are missing: light_unet/mae/seed-1/fold-1, light_unet/mse/seed-0/"
    ):
        read_study(cells, tmp_path)
    study = read_study(cells, tmp_path, allow_missing=True)
    assert list(study.missing) == gone
    # what is left of a seed was tested on other people: the row is as if the seed had never been begun
    for loss, lacking, kept in (("mae", {1: (0, 2, 3)}, 0), ("mse", {0: (0, 2, 3)}, 1)):
        row = by_name(study, "light_unet", loss)
        whole = read_study([cell for cell in cells if (cell.loss, cell.seed) == (loss, kept)], tmp_path).rows[0]
        assert row.incomplete == lacking
        assert (row.n_folds, row.n_slices, len(row.participant_ids)) == (4, 24, 8)
        assert row.interval("mae_hu") == whole.interval("mae_hu")
        assert row.of_participants("mae_hu") == whole.of_participants("mae_hu")


def test_named_folds_are_whole_and_seeds_never_begun_are_counted(tmp_path):
    cells = grid(("light_unet",), ("mae",), 3, baselines=())
    make_runs(tmp_path, [cell for cell in cells if cell.seed < 2])
    (cells[3].folder(tmp_path) / "metrics.json").unlink()
    assert read_study(cells, tmp_path, allow_missing=True).rows[0].incomplete == {0: (0, 1, 2), 2: ()}
    named = read_study([cell for cell in cells if cell.fold < 3 and cell.seed < 2], tmp_path).rows[0]
    assert (named.incomplete, len(named.seeds), named.n_folds, len(named.participant_ids)) == ({}, 2, 3, 6)


def test_nothing_done_is_an_error_even_when_gaps_are_allowed(tmp_path):
    with pytest.raises(SctError, match="none of the 40 cells"):
        read_study(grid(("light_unet",), ("mae",), 10, baselines=()), tmp_path, allow_missing=True)


@pytest.fixture
def four_folds(tmp_path):
    return tmp_path, make_runs(tmp_path, grid(("light_unet",), ("mae",), 1, baselines=()))


def test_truncated_sums_are_one_line_that_names_the_file(four_folds):
    runs, cells = four_folds
    path = cells[2].folder(runs) / "sums.csv"
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    for part in (
        b"",
        whole[:10],
        whole[: len(whole) // 2],
        whole[:-1],
        whole[:-7] + b"\n",
        b"".join(lines[:-1]),
        lines[0],
    ):
        path.write_bytes(part)
        with pytest.raises(SctError, match=r"fold-2/sums\.csv: ") as caught:
            read_study(cells, runs)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["split.json", "versions.json"])
@pytest.mark.parametrize("text", ["", '{"test": {"p0', "[]"])
def test_other_damaged_files_are_one_line_that_names_the_file(four_folds, name, text):
    runs, cells = four_folds
    (cells[2].folder(runs) / name).write_text(text)
    with pytest.raises(SctError, match=rf"fold-2/{name}: (not readable as JSON|holds no JSON object)") as caught:
        read_study(cells, runs)
    assert "\n" not in str(caught.value)


def test_sums_of_other_slices_than_the_split_says_are_refused(four_folds):
    runs, cells = four_folds
    shutil.copy(cells[0].folder(runs) / "sums.csv", cells[1].folder(runs) / "sums.csv")
    with pytest.raises(SctError, match=r"fold-1/sums\.csv: 3 slices of p00, but 0 in split\.json"):
        read_study(cells, runs)


def test_folds_of_different_splits_are_refused(four_folds):
    runs, cells = four_folds
    for name in ("sums.csv", "split.json"):
        shutil.copy(cells[0].folder(runs) / name, cells[1].folder(runs) / name)
    with pytest.raises(SctError, match="p00 is tested in another fold too"):
        read_study(cells, runs)


def test_rows_tested_on_different_slices_are_refused(four_folds):
    runs, cells = four_folds
    others = [Cell("phantom", "table", "vgg_unet", "mae", 0, fold) for fold in range(4)]
    for cell in others:
        make_cell(runs, cell, n_participants=9)
    with pytest.raises(SctError, match="9 participants and 27 slices, but table/light_unet/mae/seed-0 on 8 and 24"):
        read_study([*cells, *others], runs)


def test_a_figure_undefined_in_one_seed_is_undefined_as_a_mean(tmp_path, monkeypatch):
    # a network that predicts no bone at all in one seed: precision is 0/0 there
    from study import fabricated

    def without_bone(cell, participant, plane, ct):
        gray = prediction(cell, participant, plane, ct)
        return gray * 0.3 if cell.seed == 1 else gray

    monkeypatch.setattr(fabricated, "prediction", without_bone)
    row = read_study(make_runs(tmp_path, grid(("light_unet",), ("mae",), 3, baselines=())), tmp_path).rows[0]
    assert row.interval("bone_precision") is None
    assert row.interval("mae_hu").n == 3
    assert row.interval("bone_recall").n == 3  # 0 of some: defined
    assert row.of_participants("bone_precision") == {}
    assert LAYOUT.thresholds[0] == "0.40"

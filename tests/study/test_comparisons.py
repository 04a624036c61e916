"""Tests between rows: the right values are paired, known differences are found, equal ones are not."""

import csv
import io

import numpy as np
import pytest
from scipy import stats
from study.fabricated import grid, make_cell, make_runs

from sct.core.statistics import holm
from sct.study.cells import Cell
from sct.study.comparisons import (
    between_losses,
    between_models,
    csv_comparisons,
    markdown_comparisons,
    printed_p,
    with_baselines,
)
from sct.study.generalizability import condition_rows, condition_tests
from sct.study.reading import read_study
from sct.study.subsets import subset_of


@pytest.fixture(scope="module")
def study(finished):
    runs, cells = finished
    return read_study(cells, runs)


def find(comparisons, held, first, second, key):
    return next(c for c in comparisons if (c.held, c.first, c.second, c.metric.key) == (held, first, second, key))


def test_pairs_are_those_of_one_loss_or_of_one_model(study):
    assert len(between_models(study.rows)) == 3 * 3 * 6
    assert len(between_losses(study.rows)) == 3 * 3 * 6
    assert len(with_baselines(study.rows)) == 9 * 6
    assert {c.held for c in between_models(study.rows)} == {"MAE", "MSE", "mix (α = 4.4)"}


def test_values_and_p_are_scipys_and_holm_runs_over_the_whole_family(study):
    comparisons = between_models(study.rows)
    a, b = (next(r for r in study.rows if (r.model, r.loss) == (m, "mse")) for m in ("light_unet", "vgg_unet"))
    c = find(comparisons, "MSE", "Light U-Net", "VGG U-Net", "bone_dice")
    x, y = ([seed.figures["bone_dice"] for seed in row.seeds] for row in (a, b))
    assert c.over_seeds.p == pytest.approx(stats.ttest_rel(x, y).pvalue)
    assert c.over_seeds.difference == pytest.approx(np.mean(x) - np.mean(y))
    x, y = (np.mean([[p["bone_dice"] for p in s.participants.values()] for s in row.seeds], axis=0) for row in (a, b))
    assert c.over_participants.n == 8
    assert c.over_participants.p == pytest.approx(stats.wilcoxon(x, y, method="exact").pvalue)
    assert [c.p_seeds for c in comparisons] == holm([c.over_seeds.p for c in comparisons])
    assert [c.p_participants for c in comparisons] == holm([c.over_participants.p for c in comparisons])


def test_known_differences_are_found(study):
    # noise 0.030 against 0.045: the first network is better in MAE under every loss
    for loss in ("MAE", "MSE", "mix (α = 4.4)"):
        c = find(between_models(study.rows), loss, "Light U-Net", "VGG U-Net", "mae_hu")
        assert c.over_seeds.difference < 0
        assert c.p_seeds < 0.001
        assert c.over_participants.p == pytest.approx(2 / 2**8)
    c = find(between_losses(study.rows), "VGG U-Net", "MAE", "MSE", "bone_recall")
    assert c.over_seeds.difference < 0  # MAE loss is shifted down by construction
    assert c.p_seeds < 0.001


def test_a_copy_does_not_differ(tmp_path):
    cells = make_runs(tmp_path, grid(("light_unet",), ("mae",), 5, baselines=()))
    row = read_study(cells, tmp_path).rows[0]
    for c in between_losses([row, row]):
        assert c.over_seeds.p == c.over_participants.p == 1.0


def test_with_few_seeds_only_participants_are_tested(tmp_path):
    cells = make_runs(tmp_path, grid(("light_unet", "vgg_unet"), ("mae",), 4, baselines=("threshold",)))
    study = read_study(cells, tmp_path)
    models, baselines = between_models(study.rows), with_baselines(study.rows)
    assert all(c.p_participants is not None for c in models + baselines)
    assert all(c.over_seeds.p is None for c in models)


def test_a_baselines_one_repetition_belongs_to_no_seed(study):
    found = with_baselines(study.rows)
    assert all(c.over_seeds is None and c.p_seeds is None and c.over_participants.n == 8 for c in found)
    for line in markdown_comparisons(found).splitlines()[2:]:
        assert [cell.strip() for cell in line.split("|")[5:9]] == ["—"] * 4
    for record in csv.DictReader(io.StringIO(csv_comparisons({"Baselines": found}, study))):
        assert {value for key, value in record.items() if key.startswith("seeds_")} == {""}


def test_a_seed_that_lacks_a_fold_is_in_no_test(tmp_path):
    cells = make_runs(tmp_path, grid(("light_unet", "vgg_unet"), ("mae",), 3, baselines=()))
    whole = read_study([cell for cell in cells if cell.seed != 0], tmp_path)
    for model in (0, 1):  # the same fold of both: their seeds 0 would make a pair of six participants
        (cells[12 * model].folder(tmp_path) / "metrics.json").unlink()
    study = read_study(cells, tmp_path, allow_missing=True)
    assert between_models(study.rows) == between_models(whole.rows)


def test_print_and_csv(study):
    families = {"Models": between_models(study.rows), "Baselines": with_baselines(study.rows)}
    read = list(csv.DictReader(io.StringIO(csv_comparisons(families, study))))
    assert len(read) == 54 + 54
    assert float(read[0]["seeds_p"]) == families["Models"][0].over_seeds.p
    assert {(record["scope"], record["average"]) for record in read} == {("frame", "pixels")}
    text = markdown_comparisons(families["Baselines"])
    assert len(text.splitlines()) == 2 + 54
    assert len({line.count("|") for line in text.splitlines()}) == 1
    assert [printed_p(p) for p in (None, 0.0004, 0.0421, 1.0)] == ["—", "< 0.001", "0.042", "1.000"]


def generalizability_cells(seeds=5):
    return [
        Cell("phantom", f"institution-{value}-{condition}", "light_unet", "mae", seed, fold)
        for value in ("1", "a-b")
        for condition in ("baseline", "separate", "augmented")
        for seed in range(seeds)
        for fold in (range(1) if condition == "separate" else range(4))
    ]


def test_conditions_stand_side_by_side_and_are_tested_against_baseline(tmp_path):
    cells = generalizability_cells()
    make_runs(tmp_path, cells)
    study = read_study(cells, tmp_path)
    rows = condition_rows(study.rows)
    assert [line.title[:2] for line in rows] == [
        (f"institution = {value}", condition)
        for value in ("1", "a-b")
        for condition in ("baseline", "separate", "augmented")
    ]
    # by construction augmented has the least noise and separate the most
    assert ["mae_hu" in line.best for line in rows] == [False, False, True] * 2
    tests = condition_tests(study.rows)
    assert len(tests) == 2 * 2 * 6
    worse = find(tests, "institution = 1", "separate", "baseline", "mae_hu")
    better = find(tests, "institution = 1", "augmented", "baseline", "mae_hu")
    assert worse.over_seeds.n == better.over_seeds.n == 5
    assert worse.over_participants.n == 8
    assert better.over_seeds.difference < 0 < worse.over_seeds.difference
    assert max(worse.p_seeds, better.p_seeds) < 0.001


def test_a_seed_without_all_folds_is_not_paired_with_one_tested_on_everybody(tmp_path):
    cells = make_runs(tmp_path, [cell for cell in generalizability_cells(3) if "-1-" in cell.experiment])
    (Cell("phantom", "institution-1-baseline", "light_unet", "mae", 1, 3).folder(tmp_path) / "metrics.json").unlink()
    study = read_study(cells, tmp_path, allow_missing=True)
    assert {c.over_seeds.n for c in condition_tests(study.rows)} == {2}


def test_conditions_are_tested_on_the_same_slices(tmp_path):
    cells = [cell for cell in generalizability_cells(1) if "-1-" in cell.experiment]
    make_runs(tmp_path, cells)
    for cell in cells:
        if cell.experiment.endswith("separate"):
            make_cell(tmp_path, cell, n_participants=9)
    from sct.core.errors import SctError

    with pytest.raises(SctError, match="9 participants"):
        read_study(cells, tmp_path)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("institution-1-baseline", ("institution", "1", "baseline")),
        ("mr_vendor-GE-Discovery-augmented", ("mr_vendor", "GE-Discovery", "augmented")),
        ("main", None),
        ("institution-baseline", None),
        ("table-4-other", None),
    ],
)
def test_names_of_generalizability_cells(name, parts):
    subset = subset_of(name)
    assert (subset and (subset.column, subset.value, subset.condition)) == parts

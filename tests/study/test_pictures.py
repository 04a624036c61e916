"""What is drawn is what the sums and the example slices say."""

import numpy as np
import pytest
from study.fabricated import grid, make_runs

from sct.study.charts import (
    alpha_of,
    bone_curves,
    participant_spread,
    precision_recall_front,
    save_png,
    tissue_errors,
)
from sct.study.examples import Examples
from sct.study.pictures import comparison_picture, loss_picture, network_picture
from sct.study.reading import read_study
from sct.study.results import Row

ALPHAS = ["mae", *(f"mix-{alpha}" for alpha in (0.5, 1, 2, 4.4, 8, 10, 20, 40)), "mse"]
MANY_LOSSES = [("alpha", "light_unet", loss) for loss in ALPHAS]
MANY_MODELS = [("table", model, loss) for model in ("light_unet", "vgg_unet") for loss in ALPHAS[:6]]
MANY_MODELS += [("table", model, "none") for model in ("log_inversion", "threshold", "linear_map", "histogram")]
CONDITIONS_OF_SUBSETS = [
    (f"technique-{value}-{condition}", "light_unet", "mae")
    for value in ("GRE", "UTE", "ZTE", "PETRA")
    for condition in ("baseline", "separate", "augmented")
]


@pytest.fixture(scope="module")
def study(finished):
    runs, cells = finished
    return read_study(cells, runs)


def examples(offset, participants=("a", "b"), size=6):
    """CT of 100 everywhere, and a prediction `offset` levels away from it."""
    k = len(participants)
    ct = np.full((k, size, size), 100, np.uint8)
    sct = (ct.astype(int) + offset).astype(np.uint8)
    return Examples(ct // 2, ct, sct, participants, ("axial",) * k, (3,) * k, (500.0, 2000.0))


def difference_maps(figure):
    """The difference maps of a figure, row by row."""
    return [axis.images[0] for axis in figure.axes if axis.images and axis.images[0].get_cmap().name == "RdBu"]


def middle_colour(picture):
    """Red, green, blue in the middle of a map."""
    return picture.cmap(picture.norm(picture.get_array()[3, 3]))[:3]


def test_red_is_darker_than_ct_and_blue_is_brighter():
    figure = comparison_picture({"dark": [examples(-60)], "bright": [examples(60)], "same": [examples(0)]}, 1)
    maps = difference_maps(figure)
    red, _, blue = middle_colour(maps[0])
    assert red > 2 * blue
    red, _, blue = middle_colour(maps[1])
    assert blue > 2 * red
    assert min(middle_colour(maps[2])) > 0.9
    np.testing.assert_allclose(maps[0].get_array(), -60 * 2000 / 255)
    assert {(image.norm.vmin, image.norm.vmax) for image in maps} == {(-500.0, 500.0)}


def test_only_slices_that_all_columns_hold_are_shown():
    columns = {"one": [examples(1, ("a", "b", "c"))], "two": [examples(2, ("c", "a"))], "empty": []}
    figure = comparison_picture(columns, 4)
    titles = [axis.get_title() for axis in figure.axes]
    assert "MR\na, axial 3" in titles
    assert "c, axial 3" in titles
    assert not any("b, axial" in title for title in titles)
    assert "empty" not in titles
    assert comparison_picture({"one": [examples(1, ("a",))], "two": [examples(1, ("b",))]}) is None
    assert comparison_picture({}) is None


def test_rows_of_examples_are_different_participants_first():
    figure = comparison_picture({"one": [examples(1, ("a", "a2", "b"))]}, 2)
    titles = [axis.get_title() for axis in figure.axes]
    assert sum("axial" in title for title in titles) == 2


def test_fig_1_has_a_column_for_each_network_and_fig_2_for_each_loss(finished, study):
    runs, _ = finished
    shared, figure = network_picture(study, runs)
    assert shared == "MAE loss"
    titles = [axis.get_title() for axis in figure.axes]
    assert titles[1:5] == ["Light U-Net", "VGG U-Net", "VGG U-Net TL", "Log inversion"]
    model, figure = loss_picture(study, runs)
    assert model == "Light U-Net"
    assert [axis.get_title() for axis in figure.axes][1:4] == ["MAE", "MSE", "mix (α = 4.4)"]


def test_studies_without_examples_or_a_second_loss_have_no_picture(tmp_path):
    cells = make_runs(tmp_path, grid(("light_unet",), ("mae",), 1, baselines=()), examples=0)
    study = read_study(cells, tmp_path)
    assert network_picture(study, tmp_path) is None
    assert loss_picture(study, tmp_path) is None


def test_curves_are_drawn_against_hu(study):
    figure = bone_curves(study, study.rows)
    line = figure.axes[2].lines[0]
    np.testing.assert_allclose(line.get_xdata(), np.arange(300, 901, 100))
    expected = np.mean([seed.figures["bone_dice_curve"] for seed in study.rows[0].seeds], axis=0)
    np.testing.assert_allclose(line.get_ydata(), expected)
    assert len(figure.axes[0].lines) == len(study.rows)


@pytest.mark.parametrize("names", [MANY_LOSSES, MANY_MODELS, CONDITIONS_OF_SUBSETS])
def test_curves_can_be_told_apart(study, names):
    rows = [Row(*name, study.rows[0].seeds) for name in names]
    lines = bone_curves(study, rows).axes[0].lines
    assert len({(line.get_color(), line.get_linestyle(), str(line._dash_pattern)) for line in lines}) == len(rows)


def test_spread_has_a_dot_for_each_participant(study):
    figure = participant_spread(study.rows)
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "."]
    assert [len(line.get_xdata()) for line in dots] == [8] * len(study.rows)
    np.testing.assert_allclose(dots[0].get_xdata(), list(study.rows[0].of_participants("mae_hu").values()))


def test_tissue_errors_are_means_over_seeds(study):
    figure = tissue_errors(study.rows)
    assert [axis.get_title() for axis in figure.axes] == ["Air", "Soft tissue", "Bone"]
    expected = np.mean([seed.figures["mae_hu_by_tissue"]["bone"] for seed in study.rows[0].seeds])
    assert figure.axes[2].lines[0].get_xdata()[0] == pytest.approx(expected)


def test_front_goes_from_mae_over_alpha_to_mse(tmp_path):
    losses = ("mse", "mix-10", "mae", "mix-2")
    study = read_study(make_runs(tmp_path, grid(("light_unet",), losses, 2, baselines=())), tmp_path)
    figure = precision_recall_front(study.rows)
    assert [text.get_text() for text in figure.axes[0].texts] == ["MAE", "α = 2", "α = 10", "MSE"]
    ordered = [next(row for row in study.rows if row.loss == loss) for loss in ("mae", "mix-2", "mix-10", "mse")]
    line = figure.axes[0].containers[0].lines[0]
    np.testing.assert_allclose(line.get_xdata().astype(float), [row.interval("bone_recall").mean for row in ordered])
    assert precision_recall_front(study.rows[:2]) is None
    assert [alpha_of(name) for name in ("mae", "mix-4.4", "mse", "none", "mix-x")] == [
        0.0,
        4.4,
        float("inf"),
        None,
        None,
    ]


def test_undefined_values_leave_a_hole_and_no_error(tmp_path, monkeypatch):
    from study import fabricated

    original = fabricated.prediction
    monkeypatch.setattr(fabricated, "prediction", lambda *args: original(*args) * 0.3)
    study = read_study(make_runs(tmp_path, grid(("light_unet",), ("mae", "mse", "mix-1"), 2, baselines=())), tmp_path)
    figure = bone_curves(study, study.rows)
    assert np.isnan(figure.axes[0].lines[0].get_ydata()).all()
    assert precision_recall_front(study.rows) is None
    save_png(participant_spread(study.rows), tmp_path / "spread.png")
    assert (tmp_path / "spread.png").read_bytes().startswith(b"\x89PNG")


def test_examples_of_all_folds_are_found(finished, study):
    from sct.study.pictures import examples_of

    runs, _ = finished
    found = examples_of(study, study.rows[0], runs)
    assert [part.participant_ids[0] for part in found] == ["p00", "p01", "p02", "p03"]

"""Figures against scipy, scikit-image, torchmetrics and numpy on the same pixels."""

import numpy as np
import pytest
import torch
from scipy import stats
from skimage.metrics import mean_squared_error
from torchmetrics.classification import BinaryF1Score, BinaryPrecision, BinaryRecall

from sct.core.figures import figures, thresholds_of
from sct.core.gray import Window, gray8_to_hu, gray_to_hu
from sct.core.pixel_sums import DEFAULT_THRESHOLDS, SumsLayout

LAYOUT = SumsLayout()


@pytest.fixture(scope="module")
def pixels():
    rng = np.random.default_rng(1)
    ct = rng.integers(0, 256, (4, 1, 32, 32), np.uint8)
    prediction = np.clip(ct / 255 + rng.normal(0, 0.15, ct.shape), 0, 1).astype(np.float32)
    mask = rng.random(ct.shape) < 0.5
    return torch.from_numpy(prediction), torch.from_numpy(ct), torch.from_numpy(mask)


@pytest.fixture(scope="module")
def found(pixels):
    totals = LAYOUT.slice_sums(*pixels).sum(0).tolist()
    return figures(dict(zip(LAYOUT.columns, totals, strict=True)))


def in_hu(pixels, inside):
    prediction, ct, _ = (image.numpy() for image in pixels)
    window = Window()
    y = gray_to_hu(np.rint(prediction * np.float32(65535)).astype(float) / 65535, window)
    return gray8_to_hu(ct, window)[inside], y[inside]


@pytest.mark.parametrize("scope", ["frame", "mask"])
def test_errors_in_hu_equal_scipy_and_scikit_image(pixels, found, scope):
    inside = np.ones((4, 1, 32, 32), bool) if scope == "frame" else pixels[2].numpy()
    x, y = in_hu(pixels, inside)
    figure = found if scope == "frame" else found["in_mask"]
    assert figure["mae_hu"] == pytest.approx(np.abs(x - y).mean(), rel=1e-12)
    assert figure["mse_hu2"] == pytest.approx(mean_squared_error(x, y), rel=1e-12)
    assert figure["pearson_r"] == pytest.approx(stats.pearsonr(x, y).statistic, rel=1e-12)
    assert figure["n_pixels"] == inside.sum()
    for name, part in {"air": x < -200, "soft": (x >= -200) & (x < 300), "bone": x >= 300}.items():
        assert figure["mae_hu_by_tissue"][name] == pytest.approx(np.abs(x - y)[part].mean(), rel=1e-12)


def test_bone_overlap_equals_torchmetrics(pixels, found):
    prediction, ct, _ = pixels
    for k, threshold in enumerate(map(float, DEFAULT_THRESHOLDS)):
        target = (ct.double() / 255 >= threshold).int()
        for name, metric in (
            ("bone_precision", BinaryPrecision(threshold)),
            ("bone_recall", BinaryRecall(threshold)),
            ("bone_dice", BinaryF1Score(threshold)),
        ):
            assert found[f"{name}_curve"][k] == pytest.approx(float(metric(prediction, target)), abs=1e-6)
    for name in ("bone_precision", "bone_recall", "bone_dice"):
        assert found[name] == pytest.approx(np.mean(found[f"{name}_curve"]), rel=1e-12)
    assert found["thresholds"] == [0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7]


def sums_of(prediction, ct, mask=None, layout=LAYOUT):
    mask = torch.ones_like(ct, dtype=torch.bool) if mask is None else mask
    totals = layout.slice_sums(prediction, ct, mask).sum(0).tolist()
    return dict(zip(layout.columns, totals, strict=True))


def test_what_is_undefined_is_none_and_nothing_else_suffers():
    gray = torch.full((1, 4, 4), 0.2)
    figure = figures(sums_of(gray, torch.full((1, 4, 4), 51, dtype=torch.uint8), torch.zeros(1, 4, 4)))
    assert figure["bone_precision"] is figure["bone_recall"] is figure["bone_dice"] is None
    assert figure["bone_precision_curve"] == [None] * 7
    assert figure["pearson_r"] is None  # constant images
    assert figure["mae_hu"] == 0
    assert figure["mae_hu_by_tissue"] == {"air": None, "soft": 0.0, "bone": None}
    assert figure["in_mask"]["mae_hu"] is None
    assert figure["in_mask"]["n_pixels"] == 0
    assert figure["n_slices"] == 1


def test_one_undefined_member_undoes_the_average_over_the_grid_only():
    ct = torch.tensor([[[255, 140], [0, 0]]], dtype=torch.uint8)
    prediction = torch.tensor([[[0.6, 0.6], [0.0, 0.0]]])
    figure = figures(sums_of(prediction, ct))
    assert figure["bone_precision_curve"] == [1.0, 1.0, 1.0, 0.5, 0.5, None, None]
    assert figure["bone_precision"] is None
    assert figure["bone_recall_curve"] == [1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    assert figure["bone_recall"] == pytest.approx(5 / 7)


def test_a_perfect_and_an_inverted_prediction():
    ct = torch.arange(256, dtype=torch.uint8).view(1, 16, 16)
    perfect = figures(sums_of(ct / 255, ct))
    assert perfect["pearson_r"] == pytest.approx(1.0, abs=1e-15)
    assert perfect["mae_hu"] == perfect["mse_hu2"] == 0
    assert perfect["bone_dice"] == 1
    inverted = figures(sums_of(1 - ct / 255, ct))
    assert inverted["pearson_r"] == pytest.approx(-1.0, abs=1e-15)


def test_the_window_scales_hu_and_places_tissues():
    ct, black = torch.full((1, 2, 2), 255, dtype=torch.uint8), torch.zeros(1, 2, 2)
    layout = SumsLayout(window=Window(0.0, 1000.0))
    figure = figures(sums_of(black, ct, layout=layout), window=layout.window)
    assert figure["mae_hu"] == pytest.approx(1000)
    assert figure["mse_hu2"] == pytest.approx(1e6)


def test_thresholds_come_from_the_columns_and_may_be_narrowed(pixels):
    sums = sums_of(*pixels)
    assert [float(t) for t in thresholds_of(sums)] == [float(t) for t in DEFAULT_THRESHOLDS]
    narrow = figures(sums, ["0.50", 0.7])
    assert narrow["thresholds"] == [0.5, 0.7]
    assert len(narrow["bone_dice_curve"]) == 2
    with pytest.raises(ValueError, match="33"):
        figures(sums, ["0.33"])

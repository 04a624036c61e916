"""Scores of volumes: perfect, closed forms, and figures from numpy and scikit-image."""

from dataclasses import replace

import numpy as np
import pytest
from skimage.metrics import structural_similarity
from small_heads import SPACING_MM, affine_of, head_ct, radius

from sct.core.gray import Window
from sct.preparation.settings import PrepareSettings
from sct.slices.planes import PLANES
from sct.synthesis.mr_mask import mask_from_region
from sct.synthesis.volume_scores import CLIP_HU, body_outline, bone_overlap, native_scores, slice_scores

SHAPE = (22, 26, 24)
AFFINE = affine_of(SHAPE)
CT = head_ct(SHAPE, AFFINE).data
BODY = radius(SHAPE, AFFINE) < 1
SETTINGS = PrepareSettings(spacing_mm=SPACING_MM, size_px=32)
WINDOW = Window()


def test_the_bodys_outline_is_the_body_on_ct():
    found = body_outline(CT, [SPACING_MM] * 3)
    assert 2 * (found & BODY).sum() / (found.sum() + BODY.sum()) > 0.97


def test_the_ct_itself_scores_perfectly():
    native = native_scores(CT, {"fused": CT}, BODY, WINDOW)
    for protocol in ("synthrad", "bone"):
        figures = native[protocol]["fused"]
        assert (figures["mae_hu"], figures["mse_hu2"], figures["psnr_db"]) == (0, 0, None)
        assert figures["ssim"] == pytest.approx(1, abs=1e-5)
        assert figures["bone_dice"] == 1
    assert native["synthrad"]["fused"]["ms_ssim"] == pytest.approx(1, abs=1e-5)
    inside = np.where(BODY, CT, -1000)
    figures = slice_scores(CT, {"fused": inside}, mask_from_region(BODY).slices, SETTINGS)["fused"]
    # the CT is rounded to 8 bits, the prediction is not: at most half a level
    assert figures["in_mask"]["mae_hu"] <= 2000 / 510
    assert figures["in_mask"]["ssim"] > 0.999
    assert figures["in_mask"]["bone_dice"] == pytest.approx(1, abs=0.01)


def test_a_constant_error_is_found_in_every_protocol():
    test = {"fused": CT + 100.0}
    native = native_scores(CT, test, BODY, WINDOW)
    assert native["synthrad"]["fused"]["mae_hu"] == pytest.approx(100, abs=1e-3)
    assert native["synthrad"]["fused"]["pearson_r"] == pytest.approx(1)
    assert native["synthrad"]["fused"]["psnr_db"] == pytest.approx(20 * np.log10((CLIP_HU[1] - CLIP_HU[0]) / 100))
    assert native["bone"]["fused"]["n_voxels"] == np.count_nonzero(BODY & (CT >= 300))
    soft = np.where(BODY, np.minimum(CT, 200), -1000.0)  # no air inside, so that nothing saturates
    figures = slice_scores(soft, {"fused": soft + 100}, mask_from_region(BODY, ["axial"]).slices, SETTINGS)["fused"]
    # the hull's rim holds air, which saturates at -500 HU in both: its error is 0, not 100
    assert 60 < figures["in_mask"]["mae_hu"] < 100


def test_synthrads_ssim_is_scikit_images():
    test = CT + np.random.default_rng(0).normal(0, 150, CT.shape)
    low, high = CLIP_HU
    x, y = (np.where(BODY, np.clip(v, low, high) - low, 0) for v in (CT, test))
    full = structural_similarity(x, y, data_range=high - low, full=True)[1]
    figures = native_scores(CT, {"fused": test}, BODY, WINDOW)
    assert figures["synthrad"]["fused"]["ssim"] == pytest.approx(full[BODY].mean(), abs=1e-3)
    bone = BODY & (CT >= 300)
    assert figures["bone"]["fused"]["ssim"] == pytest.approx(full[bone].mean(), abs=1e-3)


def test_bone_overlap_closed_form():
    reference = np.array([1000.0, 1000, 1000, 0, 0])
    test = np.array([1000.0, 1000, 0, 1000, 0])
    everywhere = np.ones(5, bool)
    figures = bone_overlap(reference, test, everywhere, WINDOW)
    assert figures["bone_precision"] == figures["bone_recall"] == figures["bone_dice"] == pytest.approx(2 / 3)
    # 450 HU is bone at 300 and 400 HU only: the other thresholds are 0/0
    assert bone_overlap(reference * 0.45, test * 0.45, everywhere, WINDOW)["bone_dice"] is None
    assert bone_overlap(reference, test, ~everywhere, WINDOW)["bone_recall"] is None


def test_planes_pool_their_own_predictions():
    masks = mask_from_region(BODY).slices
    rng = np.random.default_rng(1)
    tests = {plane: CT + rng.normal(0, 20 * (i + 1), CT.shape) for i, plane in enumerate(PLANES)}
    figures = slice_scores(CT, tests, masks, SETTINGS)
    total = sum(figures[plane]["n_slices"] for plane in PLANES)
    assert figures["planes"]["n_slices"] == total
    # all slices have the same number of pixels, so pooling weighs planes by their slices
    weighted = sum(figures[plane]["mae_hu"] * figures[plane]["n_slices"] for plane in PLANES) / total
    assert figures["planes"]["mae_hu"] == pytest.approx(weighted)


def test_crops_count_each_pixel_of_the_mask_once():
    masks = mask_from_region(BODY).slices
    test = {"fused": CT + np.random.default_rng(2).normal(0, 80, CT.shape)}
    found = [
        slice_scores(CT, test, masks, replace(SETTINGS, frame="patch", size_px=size_px, patch_overlap=overlap))["fused"]
        for size_px, overlap in ((32, 0.0), (16, 0.0), (16, 0.5))
    ]
    errors = ("mae_hu", "mse_hu2", "pearson_r", "bone_dice", "psnr_db")
    for other in found[1:]:
        assert other["n_slices"] > found[0]["n_slices"]
        assert [other["in_mask"][name] for name in errors] == [found[0]["in_mask"][name] for name in errors]
    frame = [one["mae_hu"] * one["n_slices"] * size_px**2 for one, size_px in zip(found, (32, 16), strict=False)]
    assert frame[0] == pytest.approx(frame[1])  # side by side, crops hold each pixel once


def test_an_empty_body_has_no_figures():
    native = native_scores(CT, {"fused": CT}, np.zeros(SHAPE, bool), WINDOW)
    assert native["synthrad"]["fused"]["mae_hu"] is None
    assert native["bone"]["fused"]["ssim"] is None
    assert slice_scores(CT, {"fused": CT}, mask_from_region(np.zeros(SHAPE, bool)).slices, SETTINGS) == {}

"""A participant's volume scored, with a network that knows the answer."""

import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from small_heads import SPACING_MM, Square, affine_of, head_ct, head_mr, radius

from sct.cohorts.cohort import Participant
from sct.preparation.settings import PrepareSettings
from sct.slices.planes import extract
from sct.synthesis import evaluation
from sct.synthesis.ensemble import ensemble_of
from sct.synthesis.evaluation import evaluate_volume
from sct.synthesis.plane_predictions import Options

SHAPE = (22, 26, 24)
SETTINGS = PrepareSettings(spacing_mm=SPACING_MM, size_px=32)


@pytest.fixture
def participant(tmp_path):
    affine = affine_of(SHAPE)
    ct_shape = (36, 40, 38)
    ct = head_ct(ct_shape, affine_of(ct_shape, 3.0, angles_deg=(0, 0, 6)))
    for name, volume in (("mr", head_mr(SHAPE, affine)), ("ct", ct)):
        nib.save(nib.Nifti1Image(volume.data, volume.affine), tmp_path / f"{name}.nii.gz")
    return Participant("p1", tmp_path / "mr.nii.gz", tmp_path / "ct.nii.gz")


def test_every_protocol_has_every_plane_and_is_plain(participant):
    scores = evaluate_volume(participant, ensemble_of([torch.nn.Identity()], SETTINGS), Options(device="cpu"))
    json.dumps(scores, allow_nan=False)
    assert set(scores["protocols"]) == set(scores["ct_mask"]["protocols"]) == {"slices", "synthrad", "bone"}
    for protocols in (scores["protocols"], scores["ct_mask"]["protocols"]):
        for rows in protocols.values():
            assert {"axial", "coronal", "sagittal", "fused"} <= set(rows)
            assert all(row["mae_hu"] is not None for row in rows.values())
    assert "-500" in scores["note"]
    assert scores["ct_mask"]["source"] == "ct"


def test_what_the_uncertainty_knows_is_what_scipy_finds(participant, monkeypatch):
    """On the CT's own voxels, within the body, errors inside the window."""
    given = []
    real = evaluation.uncertainty_quality
    monkeypatch.setattr(evaluation, "uncertainty_quality", lambda *args: given.append(args) or real(*args))
    networks = [torch.nn.Identity(), Square()]
    found = evaluate_volume(participant, ensemble_of(networks, SETTINGS), Options(device="cpu"))["uncertainty"]
    uncertainty, prediction, reference, inside = given[0]
    ct = nib.as_closest_canonical(nib.load(participant.ct)).get_fdata()
    assert np.array_equal(reference, np.clip(ct, -500, 1500))
    assert found["n_voxels"] == inside.sum() > 0.8 * (radius(ct.shape, nib.load(participant.ct).affine) < 1).sum()
    error = np.abs(prediction - reference)[inside]
    assert found["spearman_r"] == pytest.approx(spearmanr(uncertainty[inside], error).statistic)
    wrong = (error > 300) & ((prediction >= 300) | (reference >= 300))[inside]
    most_uncertain = np.argsort(-uncertainty[inside], kind="stable")[: round(0.1 * inside.sum())]
    assert found["n_bone_errors"] == wrong.sum() > 100
    assert found["bone_errors_in_top_share"] == pytest.approx(wrong[most_uncertain].sum() / wrong.sum(), abs=0.01)


def test_padding_of_the_ct_does_not_bleed_into_the_body(participant):
    """Values that scanners write outside their circle, right beside the skin."""
    image = nib.load(participant.ct)
    hu, results = image.get_fdata(), []
    for padding in (-1024, -3024):
        padded = np.where(hu <= -1000, padding, hu).astype(np.float32)
        nib.save(nib.Nifti1Image(padded, image.affine), participant.ct)
        options = Options(planes=("axial",), device="cpu")
        results.append(evaluate_volume(participant, ensemble_of([torch.nn.Identity()], SETTINGS), options))
    assert results[0] == results[1]


def test_masks_from_files_are_the_masks_of_training_where_the_training_had_them(participant, tmp_path, monkeypatch):
    affine = affine_of(SHAPE)
    own = radius(SHAPE, affine) < 0.7
    nib.save(nib.Nifti1Image(own.astype(np.uint8), affine), tmp_path / "mask.nii.gz")
    participant = replace(participant, mask=tmp_path / "mask.nii.gz")
    predicted_in = []
    real = evaluation.predict_planes
    monkeypatch.setattr(evaluation, "predict_planes", lambda *args: predicted_in.append(args[:2]) or real(*args))
    settings = replace(SETTINGS, mask="file")
    scores = evaluate_volume(participant, ensemble_of([torch.nn.Identity()], settings), Options(device="cpu"))
    assert scores["ct_mask"]["source"] == "file"
    (isotropic, from_mr), (_, from_file) = predicted_in
    expected = extract(radius(isotropic.data.shape, isotropic.affine) < 0.7, "coronal")
    found = from_file.slices["coronal"]
    assert 2 * (found & expected).sum() / (found.sum() + expected.sum()) > 0.9  # nearest voxels of another grid
    assert from_mr.source == "auto"
    assert from_mr.slices["coronal"].sum() > 1.5 * found.sum()


def test_a_network_that_knows_the_answer_scores_well(tmp_path):
    """The MR is the CT's gray itself, so the identity is the best network there is."""
    affine = affine_of(SHAPE, 3.5)
    ct = head_ct(SHAPE, affine)
    mr = np.clip(ct.data, -500, 1500) + 500
    mr[10:12, 12:14, 12:14] = 2000  # the scale's upper end, so that gray is HU
    for name, data in (("mr", mr), ("ct", ct.data)):
        nib.save(nib.Nifti1Image(data, affine), tmp_path / f"{name}.nii.gz")
    participant = Participant("p1", tmp_path / "mr.nii.gz", tmp_path / "ct.nii.gz")
    settings = PrepareSettings(spacing_mm=3.5, size_px=96)
    good, bad = (
        evaluate_volume(participant, ensemble_of([net], settings), Options(device="cpu", precision="float32"))
        for net in (torch.nn.Identity(), Square())
    )
    for protocol in ("slices", "synthrad", "bone"):
        one, other = (scores["protocols"][protocol]["fused"] for scores in (good, bad))
        assert one["mae_hu"] < 0.4 * other["mae_hu"]
        assert one["bone_dice"] > 0.9


def test_the_masks_effect_is_small_where_both_masks_agree(participant):
    scores = evaluate_volume(participant, ensemble_of([torch.nn.Identity()], SETTINGS), Options(device="cpu"))
    ours = scores["protocols"]["synthrad"]["fused"]["mae_hu"]
    theirs = scores["ct_mask"]["protocols"]["synthrad"]["fused"]["mae_hu"]
    assert np.isclose(ours, theirs, rtol=0.1)

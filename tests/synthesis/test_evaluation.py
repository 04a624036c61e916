"""A participant's volume scored, with a network that knows the answer."""

import json

import nibabel as nib
import numpy as np
import pytest
import torch
from small_heads import SPACING_MM, Square, affine_of, head_ct, head_mr

from sct.cohorts.cohort import Participant
from sct.preparation.settings import PrepareSettings
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
    assert scores["uncertainty"]["n_voxels"] > 0


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

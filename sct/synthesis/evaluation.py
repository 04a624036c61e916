"""A predicted volume against its CT, and what the masks of training, made from the CT, are worth."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.cohorts.cohort import Participant
from sct.core.errors import SctError
from sct.core.volume import AIR_HU, Volume
from sct.geometry.resample import resample
from sct.io.volumes import read_volume
from sct.preparation.pair import check_ct, load_pair, without_padding
from sct.slices.mask import body_mask
from sct.slices.planes import extract
from sct.synthesis.ensemble import Ensemble
from sct.synthesis.fusion import Fused
from sct.synthesis.grids import hu_on_grid, inside_on_grid, to_grid
from sct.synthesis.isotropic_mr import IsotropicMr
from sct.synthesis.mr_mask import HeadMask, within
from sct.synthesis.notes import scores_note
from sct.synthesis.plane_predictions import Options, PlanePredictions, predict_planes
from sct.synthesis.synthesize import head_mask
from sct.synthesis.uncertainty import uncertainty_quality
from sct.synthesis.volume_scores import body_outline, native_scores, slice_scores

__all__ = ["evaluate_volume", "read_reference", "score_synthesis", "training_mask"]

_LEAST_OVERLAP = 0.1  # share of the head that a reference must show


def evaluate_volume(participant: Participant, ensemble: Ensemble, options: Options | None = None) -> dict[str, Any]:
    """Predict a participant's whole volume without its CT, and score it with it.

    The MR is registered to the CT as in preparation; nothing else of the CT is used for the prediction.

    Args:
        participant: With MR and CT files.
        ensemble: The networks; none of them trained on the participant.
        options: Planes, fusion, device.

    Returns:
        Plain types, as `score_synthesis`.

    Raises:
        SctError: A volume cannot be used.
    """
    options = options or Options()
    settings = ensemble.settings
    pair = load_pair(participant, settings)
    isotropic = IsotropicMr(pair.mr, pair.field_of_view, pair.affine, pair.mr_range, settings)
    head = head_mask(isotropic, "auto", options.planes)
    predictions = predict_planes(isotropic, head, ensemble, options)
    reference = read_reference(participant.ct)
    return score_synthesis(isotropic, head, predictions, ensemble, options, reference, participant.ct, pair.mask)


def read_reference(path: Path) -> Volume:
    """A CT to score against, without the padding values that interpolation would smear into the body.

    Raises:
        SctError: It cannot be read, or is no CT in HU.
    """
    reference = read_volume(path)
    check_ct(reference, path)
    return without_padding(reference)


def score_synthesis(
    isotropic: IsotropicMr,
    head: HeadMask,
    predictions: PlanePredictions,
    ensemble: Ensemble,
    options: Options,
    reference: Volume,
    reference_path: Path,
    own_mask: NDArray[np.bool_] | None = None,
) -> dict[str, Any]:
    """Score a prediction that was made with an MR-only mask, beside the same networks given the masks of training.

    Args:
        isotropic: The MR on the network's grid, in the world of the reference.
        head: The mask that was predicted in.
        predictions: Of each plane.
        ensemble: The networks, for the second prediction.
        options: Of the prediction.
        reference: CT in HU, of `read_reference`.
        reference_path: What messages call it.
        own_mask: Boolean (X, Y, Z), the participant's own mask on the network's grid, where the training had masks from
            files; None for masks from the CT.

    Returns:
        Plain types: `note`, `protocols` (protocol -> plane or "fused" -> figures), `uncertainty`, and under `ct_mask`
        their `source` ("ct" or "file") and the protocols again with the masks of training: how much of a score comes
        from the mask.

    Raises:
        SctError: The reference hardly overlaps the head.
    """
    settings = ensemble.settings
    ct_hu, seen = resample(reference, isotropic.data.shape, isotropic.affine, order=1, fill=AIR_HU)
    shown = float(seen[head.inside].mean()) if head.inside.any() else 0.0
    if shown < _LEAST_OVERLAP:
        raise SctError(
            f"{reference_path}: the reference shows {100 * shown:.0f} % of the head of the MR; "
            "same patient, same frame of reference, registered?"
        )
    ct_mask = training_mask(ct_hu, seen & isotropic.field_of_view, head, isotropic, options, own_mask)
    ct_predictions = predict_planes(isotropic, ct_mask, ensemble, replace(options, progress=False))
    native = reference.to_ras()
    field_of_view = to_grid(isotropic.field_of_view.astype(np.float32), isotropic, native, 0.0) >= 0.5
    native_hu = np.asarray(native.data, np.float32)
    body = body_outline(native_hu, native.spacing_mm.tolist()) & field_of_view
    window = settings.window

    def scores(mask: HeadMask, of: PlanePredictions, fused: Fused) -> dict[str, Any]:
        volumes = {plane: (of.means_hu[plane], of.covered[plane]) for plane in options.planes}
        volumes["fused"] = (fused.hu, fused.covered)
        on_native, on_isotropic = {}, {}
        for name, (hu, covered) in volumes.items():
            inside = inside_on_grid(mask.inside & covered, isotropic, native)
            on_native[name] = hu_on_grid(hu, covered, inside, isotropic, native)
            on_isotropic[name] = np.where(mask.inside & covered, hu, np.float32(AIR_HU))
        return {
            "slices": slice_scores(ct_hu, on_isotropic, ct_mask.slices, settings),
            **native_scores(native_hu, on_native, body, window),
        }

    fused = predictions.fused(options.fusion, window)
    inside = inside_on_grid(head.inside & fused.covered, isotropic, native)
    quality = uncertainty_quality(
        to_grid(fused.uncertainty_hu, isotropic, native, 0.0),
        np.clip(hu_on_grid(fused.hu, fused.covered, inside, isotropic, native), window.lowest_hu, window.highest_hu),
        np.clip(native_hu, window.lowest_hu, window.highest_hu),
        body & inside,
    )
    return {
        "note": scores_note(window),
        "reference_share_of_head": shown,
        "protocols": scores(head, predictions, fused),
        "ct_mask": {
            "source": ct_mask.source,
            "protocols": scores(ct_mask, ct_predictions, ct_predictions.fused(options.fusion, window)),
        },
        "uncertainty": quality.as_dict(),
    }


def training_mask(
    ct_hu: NDArray[np.floating],
    seen: NDArray[np.bool_],
    head: HeadMask,
    isotropic: IsotropicMr,
    options: Options,
    own_mask: NDArray[np.bool_] | None = None,
) -> HeadMask:
    """The masks of training: convex body of each CT slice, or the participant's own mask; within the field of view.

    Where the synthetic CT is not air stays the MR's decision, so that only the network's input differs.
    """
    settings = isotropic.settings
    slices: dict[str, NDArray[np.bool_]] = {}
    for plane in options.planes:
        if own_mask is not None:
            slices[plane] = extract(own_mask, plane)
        else:
            slices[plane] = np.stack([body_mask(one, settings.mask_clip_hu) for one in extract(ct_hu, plane)])
    source = "ct" if own_mask is None else "file"
    return within(HeadMask(slices, head.inside, source), seen, settings.min_mask_mm2 / settings.spacing_mm**2)

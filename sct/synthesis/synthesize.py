"""MR volume in, synthetic CT with its uncertainty out: the whole way in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sct.core.errors import SctError
from sct.core.volume import Volume
from sct.geometry.resample import resample
from sct.preparation.coverage import cut_shares
from sct.preparation.domain import DomainCheck, check_domain, merge_domains
from sct.preparation.intensity import evenly, gray_counts
from sct.slices.frame import frame_of
from sct.slices.planes import extract
from sct.synthesis.ensemble import Ensemble
from sct.synthesis.fusion import Fused
from sct.synthesis.grids import hu_on_grid, inside_on_grid, to_grid
from sct.synthesis.isotropic_mr import IsotropicMr, isotropic_mr
from sct.synthesis.mr_mask import HeadMask, head_region, mask_from_region, mask_of_everything, within
from sct.synthesis.plane_predictions import Options, PlanePredictions, Timings, predict_planes

__all__ = ["Synthesis", "compare_with_training", "head_mask", "synthesize"]


@dataclass(frozen=True)
class Synthesis:
    """A synthetic CT and how it came about.

    Attributes:
        hu: HU on the MR's own grid, float32; air (-1000 HU) outside the head.
        uncertainty_hu: Standard deviation of all predictions of a voxel on the same grid, float32; 0 outside the head.
        inside: Boolean, same grid: the head.
        isotropic: The MR on the network's grid.
        mask: Where was predicted, on the network's grid.
        predictions: Each plane's prediction, on the network's grid.
        fused: The same fused.
        domain: How the MR compares with what the networks were trained on.
        warnings: One line each.
        timings: Seconds per step.
    """

    hu: Volume
    uncertainty_hu: Volume
    inside: NDArray[np.bool_]
    isotropic: IsotropicMr
    mask: HeadMask
    predictions: PlanePredictions
    fused: Fused
    domain: DomainCheck
    warnings: list[str] = field(default_factory=list)
    timings: Timings = field(default_factory=Timings)


def synthesize(
    mr: Volume,
    ensemble: Ensemble,
    options: Options | None = None,
    mask: str | Volume = "auto",
    name: str = "MR",
    timings: Timings | None = None,
    technique: str | None = None,
) -> Synthesis:
    """Predict a CT from an MR volume.

    Args:
        mr: Any orientation, spacing and size.
        ensemble: Networks that share their preparation.
        options: Planes, fusion, device, precision.
        mask: `auto` (from the MR), `none` (everything is head), or a volume that is positive in the head, on any grid.
        name: What messages call the MR.
        timings: Where to add the steps' seconds.
        technique: What the scan's header says it is; None where nothing says.

    Raises:
        SctError: The MR or the mask cannot be used, or the device is not there.
    """
    options, timings = options or Options(), timings or Timings()
    with timings.step("resample"):
        isotropic = isotropic_mr(mr, ensemble.settings, name)
    with timings.step("mask"):
        head = head_mask(isotropic, mask, options.planes, name)
        domain = compare_with_training(mr, isotropic, head, ensemble, technique)
    predictions = predict_planes(isotropic, head, ensemble, options, timings)
    with timings.step("fuse"):
        fused = predictions.fused(options.fusion, ensemble.settings.window)
    with timings.step("resample"):
        inside = inside_on_grid(head.inside & fused.covered, isotropic, mr)
        hu = hu_on_grid(fused.hu, fused.covered, inside, isotropic, mr)
        spread = np.where(inside, to_grid(fused.uncertainty_hu, isotropic, mr, 0.0), np.float32(0))
    return Synthesis(
        hu=Volume(hu, mr.affine),
        uncertainty_hu=Volume(spread, mr.affine),
        inside=inside,
        isotropic=isotropic,
        mask=head,
        predictions=predictions,
        fused=fused,
        domain=domain,
        warnings=[*domain.warnings, *_warnings(head, predictions)],
        timings=timings,
    )


def head_mask(isotropic: IsotropicMr, mask: str | Volume, planes: Sequence[str], name: str = "MR") -> HeadMask:
    """The mask that `--mask` asks for, within the MR's field of view.

    Raises:
        SctError: The mask volume does not overlap the MR, or no head was found.
    """
    settings, seen = isotropic.settings, isotropic.field_of_view
    if mask == "none":
        head = mask_of_everything(_shape(isotropic), planes)
    elif isinstance(mask, Volume):
        region = resample(mask, isotropic.data.shape, isotropic.affine, order=0)[0] > 0
        if not (region & seen).any():
            raise SctError("--mask: the mask volume marks nothing within the MR's field of view")
        head = mask_from_region(region, planes, "file")
    else:
        head = mask_from_region(head_region(isotropic.data, [settings.spacing_mm] * 3), planes)
    head = within(head, seen, settings.min_mask_mm2 / settings.spacing_mm**2)
    if not any(masks.any() for masks in head.slices.values()):
        raise SctError(f"{name}: no head found; give --mask FILE, or --mask none to predict every slice whole")
    return head


def compare_with_training(
    mr: Volume, isotropic: IsotropicMr, head: HeadMask, ensemble: Ensemble, technique: str | None = None
) -> DomainCheck:
    """Compare the MR, as the network sees it within the mask (not empty), with what the networks were trained on."""
    plane, masks = next((plane, masks) for plane, masks in head.slices.items() if masks.any())
    filled = np.flatnonzero(masks.any((1, 2)))
    gray, spacing_mm = extract(isotropic.gray(plane), plane), isotropic.settings.spacing_mm
    shown = filled[evenly(filled.size)]
    counts = sum(gray_counts(np.rint(gray[k] * 255).astype(np.uint8), masks[k], spacing_mm) for k in shown)
    # without a mask every slice is as large as the field of view
    areas = {} if head.source == "none" else {name: stack.sum((1, 2)) for name, stack in head.slices.items()}
    largest = max(frame_of(mask).side for masks in head.slices.values() for mask in masks if mask.any())
    return check_domain(
        merge_domains([member.domain or {} for member in ensemble.members]),
        np.asarray(mr.data, np.float32),
        np.asarray(counts),
        largest * spacing_mm,
        mr.spacing_mm.tolist(),
        technique,
        cut_shares(areas),
    )


def _shape(isotropic: IsotropicMr) -> tuple[int, int, int]:
    x, y, z = isotropic.data.shape
    return x, y, z


def _warnings(head: HeadMask, predictions: PlanePredictions) -> list[str]:
    found = []
    share = float(head.inside.mean())
    if head.source == "auto" and not 0.05 <= share <= 0.95:
        found.append(f"the head mask covers {100 * share:.0f} % of the volume: check it, or give --mask FILE")
    if predictions.n_networks == 1 and len(predictions.means_hu) == 1:
        found.append("one plane and one checkpoint: nothing to disagree, so the uncertainty is 0 everywhere")
    return found

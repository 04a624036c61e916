"""What was done, in plain types: the JSON beside a synthetic CT.

It names no file, folder, host or person: a synthetic CT is passed on, and a file name may be a patient's.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.core.versions import versions
from sct.core.volume import AIR_HU, Volume
from sct.synthesis.ensemble import Ensemble
from sct.synthesis.notes import DISCLAIMER, saturation_note
from sct.synthesis.plane_predictions import Options
from sct.synthesis.synthesize import Synthesis

__all__ = ["record_of"]


def record_of(
    mr: Volume,
    mr_format: str,
    ensemble: Ensemble,
    options: Options,
    synthesis: Synthesis,
    scores: dict[str, Any] | None,
) -> dict[str, Any]:
    """Describe a prediction.

    Args:
        mr: The input.
        mr_format: Its suffix, or "DICOM".
        ensemble: The networks.
        options: As given.
        synthesis: The result.
        scores: Against a reference; None without one.
    """
    in_head = synthesis.mask.inside & synthesis.fused.covered
    window = ensemble.settings.window
    record: dict[str, Any] = {
        "content": DISCLAIMER,
        "input": {
            "format": mr_format,
            "shape": list(mr.shape),
            "spacing_mm": [round(float(mm), 6) for mm in mr.spacing_mm],
            "value_range": [float(mr.data.min()), float(mr.data.max())],
        },
        "output": {
            "unit": "HU",
            "type": "int16",
            "grid": "the MR's own",
            "outside_head_hu": AIR_HU,
            "window_hu": [window.lowest_hu, window.highest_hu],
            "note": saturation_note(window),
        },
        "checkpoints": [{"sha256": member.sha256, "model": member.model} for member in ensemble.members],
        "prepare": ensemble.settings.to_plain(),
        "options": {
            "planes": list(options.planes),
            "fusion": options.fusion,
            "device": synthesis.predictions.device,
            "precision": synthesis.predictions.precision,
        },
        "mask": {"source": synthesis.mask.source, "share_of_volume": float(synthesis.inside.mean())},
        "uncertainty_hu": {
            "definition": "standard deviation of all predictions of a voxel, planes by checkpoints",
            "mean_in_head": _mean(synthesis.fused.uncertainty_hu, in_head),
            "mean_between_planes": _mean(synthesis.fused.planes_hu, in_head),
            "mean_between_checkpoints": _mean(synthesis.fused.members_hu, in_head),
            "share_of_head_by_planes": _shares_by_planes(synthesis, in_head),
        },
        "domain": synthesis.domain.measures,
        "warnings": synthesis.warnings,
        "timings_s": {name: round(seconds, 3) for name, seconds in synthesis.timings.seconds.items()},
        "versions": versions(),
    }
    if scores is not None:
        record["scores"] = scores
    return record


def _shares_by_planes(synthesis: Synthesis, in_head: NDArray[np.bool_]) -> dict[str, float]:
    """Share of the head that this many planes predicted: where it is one, planes have nothing to disagree."""
    covered = synthesis.predictions.covered
    n_planes = sum(seen[in_head].astype(np.int64) for seen in covered.values())
    counts = np.bincount(np.atleast_1d(n_planes), minlength=len(covered) + 1)
    return {str(n): float(counts[n] / max(counts.sum(), 1)) for n in range(1, len(covered) + 1)}


def _mean(values: NDArray[np.floating], inside: NDArray[np.bool_]) -> float | None:
    return float(values[inside].mean(dtype=np.float64)) if inside.any() else None

"""What a network was trained on, in a few plain numbers, and whether a new MR looks like it.

The contrast is compared by histograms of gray at each depth under the surface (`sct.preparation.intensity`), with the
nearest participant of the training. What is far is not set by hand: the threshold is the largest distance of a training
participant to the nearest other one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.preparation.coverage import cut_shares, head_areas_and_mm
from sct.preparation.intensity import (
    LEVELS,
    intensity_distance,
    percentile_level,
    relative_histograms,
    stored_counts,
)
from sct.preparation.store import SliceStore

__all__ = ["DomainCheck", "check_domain", "domain_of", "merge_domains"]

_LEAST_THRESHOLD = 0.05  # in units of the percentile: so far apart are one MR in its own mask and in the CT's
_UNKNOWN = "unknown"
_SIZE_SLACK = 0.2  # heads may be so much smaller or larger than the training's smallest and largest
_GRAY_SLACK = 0.4  # and so much darker or brighter after scaling
_CUT_SLACK = 0.25  # of the largest slice: the field of view may cut off so much more on a side
_COARSEST = 1.6  # times the training's spacing
_HU_OF_AIR = -500.0  # no magnitude image is so negative
_HU_SHARE = 0.01


@dataclass(frozen=True)
class DomainCheck:
    """How a new MR compares with the training.

    Attributes:
        warnings: One line each; empty when it looks alike.
        measures: Plain types for the record: distances and what they are compared with.
    """

    warnings: list[str]
    measures: dict[str, Any]


def domain_of(store: SliceStore, participant_ids: Sequence[str]) -> dict[str, Any]:
    """Describe the participants a network is trained on.

    Args:
        store: The slice store.
        participant_ids: Of the training; none gives an empty description.

    Returns:
        Plain types: `spacing_mm`, `techniques`, `fov_mm` (smallest and largest head, as the side of the largest mask),
        `mr_histogram` (256 gray levels within the mask, normalised, mean of the participants), `mr_depth_histograms`
        (per technique those of its participants by depth, in no order that tells who), `histogram_threshold`,
        `mr_gray_p75` (range of the 75th percentile, gray 0..1), `cut_shares` (per side of the head the most that a
        field of view cut off).
    """
    if not participant_ids:
        return {}
    participants = [store.participant(name) for name in participant_ids]
    counts = [stored_counts(one) for one in participants]
    relative = [relative_histograms(one) for one in counts]
    techniques = [one.columns.get("technique") or _UNKNOWN for one in participants]
    areas, sides_mm = zip(*(head_areas_and_mm(one) for one in participants), strict=True)
    p75 = [percentile_level(one) / (LEVELS - 1) for one in counts]
    return {
        "spacing_mm": float(store.settings["spacing_mm"]),
        "techniques": sorted({*techniques} - {_UNKNOWN}),
        "fov_mm": [min(sides_mm), max(sides_mm)],
        "mr_histogram": np.mean([one.sum(0) / one.sum() for one in counts], axis=0).tolist(),
        "mr_depth_histograms": _by_technique(relative, techniques),
        "histogram_threshold": _threshold(relative, techniques),
        "mr_gray_p75": [min(p75), max(p75)],
        "cut_shares": _largest([cut_shares(one) for one in areas]),
    }


def merge_domains(domains: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One description of all that the networks of an ensemble were trained on (folds share most participants).

    Descriptions without a histogram are passed over; none gives an empty one.
    """
    known = [domain for domain in domains if domain.get("mr_depth_histograms")]
    if not known:
        return {}
    shapes: dict[str, list[Any]] = {}
    for domain in known:
        for name, found in domain["mr_depth_histograms"].items():
            seen = shapes.setdefault(name, [])
            seen += [shape for shape in found if shape not in seen]
    return {
        "spacing_mm": known[0]["spacing_mm"],
        "techniques": sorted({name for domain in known for name in domain["techniques"]}),
        "fov_mm": _envelope([domain["fov_mm"] for domain in known]),
        "mr_histogram": np.mean([domain["mr_histogram"] for domain in known], axis=0).tolist(),
        "mr_depth_histograms": {name: sorted(found) for name, found in shapes.items()},
        "histogram_threshold": max(float(domain["histogram_threshold"]) for domain in known),
        "mr_gray_p75": _envelope([domain["mr_gray_p75"] for domain in known]),
        "cut_shares": _largest([domain["cut_shares"] for domain in known]),
    }


def check_domain(
    domain: Mapping[str, Any],
    mr: NDArray[np.floating],
    counts: NDArray[np.floating],
    head_mm: float,
    spacing_mm: Sequence[float],
    technique: str | None = None,
    cuts: Mapping[str, float] | None = None,
) -> DomainCheck:
    """Compare a new MR with what the network was trained on.

    Args:
        domain: Of `domain_of` or `merge_domains`; empty (an old checkpoint) gives one warning.
        mr: All values of the volume, in the scanner's units.
        counts: Array (4, 256), `sct.preparation.intensity.gray_counts` of the network's gray, not all 0.
        head_mm: Side of the largest frame around the head.
        spacing_mm: The volume's own voxel sizes.
        technique: What the scan says it is (a DICOM header does); None where it does not say.
        cuts: What the field of view cuts off on each side (`sct.preparation.coverage.cut_shares`).
    """
    warnings: list[str] = []
    hu_share = float(np.mean(np.asarray(mr) <= _HU_OF_AIR))
    if hu_share > _HU_SHARE:
        warnings.append(
            f"the MR looks like a CT: {100 * hu_share:.0f} % of its values are below {_HU_OF_AIR:g}, as air is in HU"
        )
    if not domain.get("mr_depth_histograms"):
        warnings.append("the checkpoint does not say what it was trained on: this MR could not be compared with it")
        return DomainCheck(warnings, {})
    shape = relative_histograms(counts)
    distances = {
        name: min(intensity_distance(shape, np.asarray(other)) for other in others)
        for name, others in domain["mr_depth_histograms"].items()
    }
    nearest = min(distances, key=lambda name: distances[name])
    threshold = float(domain["histogram_threshold"])
    if distances[nearest] > threshold:
        known = ", ".join(domain["techniques"]) or "bone MR"
        warnings.append(
            f"the MR's intensities are unlike the training's ({known}): histogram distance {distances[nearest]:.3f}, "
            f"largest in training {threshold:.3f}; another sequence, say T1-weighted?"
        )
    p75 = percentile_level(counts) / (LEVELS - 1)
    darkest, brightest = domain["mr_gray_p75"]
    if not darkest * (1 - _GRAY_SLACK) <= p75 <= brightest * (1 + _GRAY_SLACK):
        warnings.append(
            f"the head is {'darker' if p75 < darkest else 'brighter'} than in training after scaling: 75th percentile "
            f"at gray {p75:.2f}, in training {darkest:.2f} to {brightest:.2f}; a bright spike or a cut range?"
        )
    smallest, largest = domain["fov_mm"]
    if not smallest * (1 - _SIZE_SLACK) <= head_mm <= largest * (1 + _SIZE_SLACK):
        warnings.append(
            f"the head measures {head_mm:.0f} mm, in training {smallest:.0f} to {largest:.0f} mm: "
            "another field of view or anatomy, or a wrong mask?"
        )
    cut_in_training = domain["cut_shares"]
    too_much = {
        face: share for face, share in (cuts or {}).items() if share > cut_in_training.get(face, 1.0) + _CUT_SLACK
    }
    if too_much:
        faces = ", ".join(f"{face} {100 * share:.0f} %" for face, share in too_much.items())
        most = ", ".join(f"{100 * cut_in_training[face]:.0f} %" for face in too_much)
        warnings.append(
            f"the field of view cuts through the head (outermost slice as share of the largest: {faces}; "
            f"in training at most {most})"
        )
    coarsest = float(max(spacing_mm))
    if coarsest > _COARSEST * domain["spacing_mm"]:
        warnings.append(
            f"the MR's voxels of {coarsest:g} mm are coarser than the {domain['spacing_mm']:g} mm of the training"
        )
    if technique is not None and domain["techniques"] and technique not in domain["techniques"]:
        warnings.append(
            f"the MR's header reads as {technique}; the training had {', '.join(domain['techniques'])}: "
            "is it the bone sequence?"
        )
    return DomainCheck(
        warnings,
        {
            "histogram_distance": distances[nearest],
            "histogram_threshold": threshold,
            "nearest_technique": nearest,
            "histogram_distances": distances,
            "mr_gray_p75": p75,
            "mr_gray_p75_of_training": list(domain["mr_gray_p75"]),
            "head_mm": float(head_mm),
            "head_mm_of_training": list(domain["fov_mm"]),
            "cut_shares": dict(cuts or {}),
            "cut_shares_of_training": dict(cut_in_training),
            "technique": technique or "unknown: the file does not say",
            "techniques_of_training": list(domain["techniques"]),
        },
    )


def _by_technique(relative: Sequence[NDArray[np.float64]], techniques: Sequence[str]) -> dict[str, list[Any]]:
    """Histograms per technique, sorted by their values."""
    shapes: dict[str, list[Any]] = {name: [] for name in sorted(set(techniques))}
    for histograms, technique in zip(relative, techniques, strict=True):
        shapes[technique].append(histograms.round(6).tolist())
    return {name: sorted(found) for name, found in shapes.items()}


def _threshold(relative: Sequence[NDArray[np.float64]], techniques: Sequence[str]) -> float:
    """Largest distance of a participant to the nearest of the others.

    The only participant of its technique is passed over: without it, its technique is unknown, and it is rightly far.
    """
    largest = _LEAST_THRESHOLD
    for i, technique in enumerate(techniques):
        if list(techniques).count(technique) < 2:
            continue
        others = [relative[j] for j in range(len(techniques)) if j != i]
        largest = max(largest, min(intensity_distance(relative[i], other) for other in others))
    return largest


def _envelope(ranges: Sequence[Sequence[float]]) -> list[float]:
    return [min(float(low) for low, _ in ranges), max(float(high) for _, high in ranges)]


def _largest(shares: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Per side the largest share."""
    faces = sorted({face for one in shares for face in one})
    return {face: max(one[face] for one in shares if face in one) for face in faces}

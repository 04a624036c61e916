"""What a network was trained on, in a few plain numbers, and whether a new MR looks like it.

The histogram is compared in shape: gray is divided by its 75th percentile within the mask, so that one bright vessel or
spike, which moves the whole range, does not hide what the contrast is. The distance is Wasserstein's of order 1, in
units of that percentile, to the nearest participant of the training. What is far is not set by hand: the threshold is
the largest distance of a training participant to the nearest other one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.preparation.store import CHANNELS, SliceStore, StoredParticipant
from sct.slices.frame import frame_of
from sct.slices.planes import PLANES

__all__ = ["DomainCheck", "check_domain", "domain_of", "histogram_distance", "merge_domains", "relative_histogram"]

_LEVELS = 256
_UNIT = 128  # level that the 75th percentile takes in a relative histogram, which so ends at twice the percentile
_QUANTILE = 0.75
_LEAST_THRESHOLD = 0.03  # in units of the percentile: two scans of one participant with new noise are this far apart
_UNKNOWN = "unknown"
_SIZE_SLACK = 0.2  # heads may be so much smaller or larger than the training's smallest and largest
_GRAY_SLACK = 0.4  # and so much darker or brighter after scaling
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
        `mr_histogram` (256 gray levels within the mask, normalised, mean of the participants), `mr_relative_histograms`
        (per technique those of its participants, in no order that tells who), `histogram_threshold`, `mr_gray_p75`
        (range of the 75th percentile, gray 0..1).
    """
    if not participant_ids:
        return {}
    participants = [store.participant(name) for name in participant_ids]
    histograms = np.stack([_histogram(one) for one in participants])
    relative = np.stack([relative_histogram(histogram) for histogram in histograms])
    techniques = [one.columns.get("technique") or _UNKNOWN for one in participants]
    sides_mm = [_head_mm(one, store.settings) for one in participants if one.n_slices]
    p75 = [_percentile_level(histogram) / (_LEVELS - 1) for histogram in histograms]
    return {
        "spacing_mm": float(store.settings["spacing_mm"]),
        "techniques": sorted({*techniques} - {_UNKNOWN}),
        "fov_mm": [min(sides_mm, default=0.0), max(sides_mm, default=0.0)],
        "mr_histogram": histograms.mean(0).tolist(),
        "mr_relative_histograms": _by_technique(relative, techniques),
        "histogram_threshold": _threshold(relative, techniques),
        "mr_gray_p75": [min(p75), max(p75)],
    }


def merge_domains(domains: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One description of all that the networks of an ensemble were trained on (folds share most participants).

    Descriptions without a histogram are passed over; none gives an empty one.
    """
    known = [domain for domain in domains if domain.get("mr_relative_histograms")]
    if not known:
        return {}
    shapes: dict[str, set[tuple[float, ...]]] = {}
    for domain in known:
        for name, found in domain["mr_relative_histograms"].items():
            shapes.setdefault(name, set()).update(tuple(shape) for shape in found)
    return {
        "spacing_mm": known[0]["spacing_mm"],
        "techniques": sorted({name for domain in known for name in domain["techniques"]}),
        "fov_mm": _envelope([domain["fov_mm"] for domain in known]),
        "mr_histogram": np.mean([domain["mr_histogram"] for domain in known], axis=0).tolist(),
        "mr_relative_histograms": {name: [list(shape) for shape in sorted(found)] for name, found in shapes.items()},
        "histogram_threshold": max(float(domain["histogram_threshold"]) for domain in known),
        "mr_gray_p75": _envelope([domain["mr_gray_p75"] for domain in known]),
    }


def check_domain(
    domain: Mapping[str, Any],
    mr: NDArray[np.floating],
    gray_in_mask: NDArray[np.floating],
    head_mm: float,
    spacing_mm: Sequence[float],
    technique: str | None = None,
) -> DomainCheck:
    """Compare a new MR with what the network was trained on.

    Args:
        domain: Of `domain_of` or `merge_domains`; empty (an old checkpoint) gives one warning.
        mr: All values of the volume, in the scanner's units.
        gray_in_mask: The network's gray 0..1 within the mask, any shape, not empty.
        head_mm: Side of the largest frame around the head.
        spacing_mm: The volume's own voxel sizes.
        technique: What the scan says it is (a DICOM header does); None where it does not say.
    """
    warnings: list[str] = []
    hu_share = float(np.mean(np.asarray(mr) <= _HU_OF_AIR))
    if hu_share > _HU_SHARE:
        warnings.append(
            f"the MR looks like a CT: {100 * hu_share:.0f} % of its values are below {_HU_OF_AIR:g}, as air is in HU"
        )
    if not domain.get("mr_relative_histograms"):
        warnings.append("the checkpoint does not say what it was trained on: this MR could not be compared with it")
        return DomainCheck(warnings, {})
    levels = np.rint(np.clip(gray_in_mask, 0.0, 1.0) * (_LEVELS - 1)).astype(np.int64)
    histogram = np.bincount(levels.ravel(), minlength=_LEVELS) / max(levels.size, 1)
    shape = relative_histogram(histogram)
    distances = {
        name: min(histogram_distance(shape, np.asarray(other)) for other in others)
        for name, others in domain["mr_relative_histograms"].items()
    }
    nearest = min(distances, key=lambda name: distances[name])
    threshold = float(domain["histogram_threshold"])
    if distances[nearest] > threshold:
        known = ", ".join(domain["techniques"]) or "bone MR"
        warnings.append(
            f"the MR's intensities are unlike the training's ({known}): histogram distance {distances[nearest]:.3f}, "
            f"largest in training {threshold:.3f}; another sequence, say T1-weighted?"
        )
    p75 = _percentile_level(histogram) / (_LEVELS - 1)
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
            "technique": technique or "unknown: the file does not say",
            "techniques_of_training": list(domain["techniques"]),
        },
    )


def histogram_distance(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Wasserstein distance of order 1 of two relative histograms, in units of the 75th percentile.

    Args:
        one: Normalised counts (256,).
        other: Likewise.
    """
    return float(np.abs(np.cumsum(one) - np.cumsum(other)).sum() / _UNIT)


def relative_histogram(histogram: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rescale the gray of a histogram so that its 75th percentile becomes level 128; what exceeds 255 counts as 255.

    Args:
        histogram: Normalised counts of levels 0..255.
    """
    unit = max(_percentile_level(histogram), 1.0)
    # a level covers an interval of the new scale; spreading it evenly leaves no combs
    edges = np.clip((np.arange(_LEVELS + 1) - 0.5) / unit * _UNIT + 0.5, 0.0, _LEVELS - 1.0)
    cumulative = np.concatenate([[0.0], np.cumsum(histogram)])
    new_edges = np.arange(_LEVELS + 1, dtype=np.float64)
    new_edges[-1] = _LEVELS  # the last level takes all that is brighter
    at = np.interp(new_edges, edges, cumulative, left=0.0, right=float(cumulative[-1]))
    at[-1] = cumulative[-1]
    return np.asarray(np.diff(at))


def _head_mm(participant: StoredParticipant, settings: Mapping[str, Any]) -> float:
    """Side of the largest frame that a mask fills; a patch is larger than its mask."""
    spacing_mm = participant.geometry.spacing_mm
    if settings.get("frame") != "patch":
        return float(participant.sides.max()) * spacing_mm
    masks = participant.data[CHANNELS.index("mask")]
    return max(frame_of(mask > 0).side for mask in masks if mask.any()) * spacing_mm


def _histogram(participant: StoredParticipant) -> NDArray[np.float64]:
    """Gray levels within the mask of the axial slices (of all planes without any), each slice by its size in mm^2."""
    entries = participant.in_plane(PLANES[0])
    if entries.size == 0:
        entries = np.arange(participant.n_slices)
    mr, mask = CHANNELS.index("mr"), CHANNELS.index("mask")
    counts = np.zeros(_LEVELS)
    for entry in entries:
        levels = participant.data[mr, entry][participant.data[mask, entry] > 0]
        counts += np.bincount(levels, minlength=_LEVELS) * float(participant.sides[entry]) ** 2
    total = counts.sum()
    return counts / total if total > 0 else counts


def _percentile_level(histogram: NDArray[np.floating]) -> float:
    return float(np.searchsorted(np.cumsum(histogram), _QUANTILE * histogram.sum()))


def _by_technique(relative: NDArray[np.float64], techniques: Sequence[str]) -> dict[str, list[list[float]]]:
    """Histograms per technique, sorted by their values."""
    shapes: dict[str, list[list[float]]] = {name: [] for name in sorted(set(techniques))}
    for histogram, technique in zip(relative, techniques, strict=True):
        shapes[technique].append([round(float(share), 7) for share in histogram])
    return {name: sorted(found) for name, found in shapes.items()}


def _threshold(relative: NDArray[np.float64], techniques: Sequence[str]) -> float:
    """Largest distance of a participant to the nearest of the others.

    The only participant of its technique is passed over: without it, its technique is unknown, and it is rightly far.
    """
    largest = _LEAST_THRESHOLD
    for i, technique in enumerate(techniques):
        if list(techniques).count(technique) < 2:
            continue
        others = [relative[j] for j in range(len(techniques)) if j != i]
        largest = max(largest, min(histogram_distance(relative[i], other) for other in others))
    return largest


def _envelope(ranges: Sequence[Sequence[float]]) -> list[float]:
    return [min(float(low) for low, _ in ranges), max(float(high) for _, high in ranges)]

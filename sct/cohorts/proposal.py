"""Which of a patient's series are the pair that a cohort wants."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from sct.cohorts.headers import guess_technique, patient_of, technique_in_name
from sct.cohorts.kinds import is_derived, is_scout, is_synthetic_ct
from sct.cohorts.pairs import Pair
from sct.io.dicom_series import Series
from sct.io.dicom_values import header_text

__all__ = ["Proposal", "propose_pairs"]

_LEAST_SLICES = 20  # fewer are no volume of a head
# Reconstruction kernels for bone: GE BONE, BONEPLUS, EDGE; Siemens B60, Hr64, Bl75 and the like; Canon FC30 and FC80
# on; Philips D and YA to YE.
_BONE_KERNEL = re.compile(r"BONE|EDGE|SHARP|\b[A-Z]{1,2}(6\d|7\d|80)|\bFC[38]\d|^(D|Y[A-E])$")


@dataclass(frozen=True)
class Proposal:
    """Pairs that the headers suggest.

    Attributes:
        pairs: One per patient with both a bone MRI and a CT.
        open_questions: One line for each patient where a person has to choose or something is missing.
    """

    pairs: list[Pair]
    open_questions: list[str]


def propose_pairs(series: Sequence[Series]) -> Proposal:
    """Choose per patient the bone MRI and the CT: the only ones, else the likeliest, which a person must confirm.

    Scouts, synthetic CTs and series of few slices are never chosen, derived ones (reformatted planes) only where there
    is nothing else. Participants are numbered in the order of a hash of the patient's id, which tells nothing about the
    person.
    """
    by_patient: dict[str, list[Series]] = {}
    for one in series:
        by_patient.setdefault(patient_of(one.header) or one.key, []).append(one)
    pairs: list[Pair] = []
    questions: list[str] = []
    for patient in sorted(by_patient, key=lambda name: hashlib.sha256(name.encode()).hexdigest()):
        volumes = [
            one
            for one in by_patient[patient]
            if one.n_images >= _LEAST_SLICES and not is_scout(one) and not is_synthetic_ct(one)
        ]
        mrs = _first_hand([one for one in volumes if one.modality == "MR" and guess_technique(one.header)])
        cts = _first_hand([one for one in volumes if one.modality == "CT"])
        if not mrs or not cts:
            questions.append(f"patient {patient}: {_lacking(volumes, mrs, cts)}")
            continue
        mr, ct = max(mrs, key=_mr_rank), max(cts, key=_ct_rank)
        doubts = [f"{len(mrs)} MR and {len(cts)} CT series to choose from"] if len(mrs) > 1 or len(cts) > 1 else []
        doubts += [f"only a derived {one.modality} series" for one in (mr, ct) if is_derived(one)]
        if guess_technique(mr.header) == "GRE" and technique_in_name(mr.header) is None:
            doubts.append("the MR is taken for a bone GRE by its echo time and flip angle only")
        questions += [f"patient {patient}: {', '.join(doubts)}"] if doubts else []
        pairs.append(Pair(f"sub-{len(pairs) + 1:03d}", mr.key, ct.key))
    return Proposal(pairs, questions)


def _first_hand(series: list[Series]) -> list[Series]:
    """Those that the scanner made, or all when every one is derived from another."""
    return [one for one in series if not is_derived(one)] or series


def _lacking(volumes: Sequence[Series], mrs: Sequence[Series], cts: Sequence[Series]) -> str:
    lacking = " and ".join(name for name, found in (("bone MRI", mrs), ("CT", cts)) if not found)
    text = f"no {lacking} of at least {_LEAST_SLICES} slices"
    n_unknown = sum(one.modality == "MR" for one in volumes) if not mrs else 0
    return f"{text} ({n_unknown} MR of unknown technique; if one is bone MRI, add its line)" if n_unknown else text


def _mr_rank(series: Series) -> tuple[int, int]:
    """ZTE before UTE before GRE, which show bone the better the shorter the echo; then more slices."""
    technique = guess_technique(series.header) or ""
    return {"ZTE": 3, "UTE": 2, "GRE": 1}.get(technique, 0), series.n_images


def _ct_rank(series: Series) -> tuple[bool, int]:
    """Bone kernels first, then more (so thinner) slices."""
    kernel = header_text(series.header, "ConvolutionKernel").upper()
    return _BONE_KERNEL.search(kernel) is not None, series.n_images

"""The image series of a DICOM tree, and which of them make the pairs of a cohort."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sct.cohorts.headers import guess_technique, matrix_text, spacing_text, vendor
from sct.cohorts.table import ID_COLUMN, check_participant_id
from sct.core.errors import SctError
from sct.core.files import write_text
from sct.io.dicom_series import Series, header_text

__all__ = ["Pair", "Proposal", "propose_pairs", "read_pairs", "write_inventory", "write_pairs"]

_PAIR_COLUMNS = (ID_COLUMN, "mr", "ct")
_INVENTORY_COLUMNS = (
    *("series", "patient", "study_date", "modality", "number", "description", "images", "matrix", "spacing_mm"),
    *("te_ms", "sequence", "kernel", "vendor", "model", "field_strength", "technique_guessed", "note"),
)
_LEAST_SLICES = 20  # fewer are no volume of a head
# Reconstruction kernels for bone: Siemens H/Hr/B 60 and up, GE BONE..., Canon FC30..., Philips D and Y.
_BONE_KERNELS = ("BONE", "EDGE", "SHARP", "60", "64", "67", "68", "69", "70", "75", "80", "FC3", "FC8")


@dataclass(frozen=True)
class Pair:
    """One participant's two series, by their keys."""

    participant_id: str
    mr: str
    ct: str


@dataclass(frozen=True)
class Proposal:
    """Pairs that the headers suggest.

    Attributes:
        pairs: One per patient with both a bone MRI and a CT.
        open_questions: One line for each patient where a person has to choose or something is missing.
    """

    pairs: list[Pair]
    open_questions: list[str]


def write_inventory(path: Path, series: Sequence[Series]) -> None:
    """Write one line per series, tab-separated, for the person who chooses the pairs.

    The table names patients and copies descriptions: it stays where the DICOM files are.

    Raises:
        SctError: The file cannot be written.
    """
    lines = ["\t".join(_INVENTORY_COLUMNS)]
    for one in series:
        header = one.header
        cells = [
            one.key,
            _patient(one),
            header_text(header, "StudyDate"),
            one.modality,
            header_text(header, "SeriesNumber"),
            header_text(header, "SeriesDescription"),
            str(one.n_images),
            matrix_text(one),
            spacing_text(header),
            header_text(header, "EchoTime"),
            header_text(header, "SequenceName") or header_text(header, "PulseSequenceName"),
            header_text(header, "ConvolutionKernel"),
            vendor(header),
            header_text(header, "ManufacturerModelName"),
            header_text(header, "MagneticFieldStrength"),
            (guess_technique(header) or "") if one.modality == "MR" else "",
            "localizer" if one.is_localizer else "",
        ]
        lines.append("\t".join(cell or "n/a" for cell in cells))
    write_text(path, "\n".join(lines) + "\n")


def propose_pairs(series: Sequence[Series]) -> Proposal:
    """Choose per patient the bone MRI and the CT: the only ones, else the likeliest, which a person must confirm.

    Participants are numbered in the order of a hash of the patient's id, which tells nothing about the person.
    """
    by_patient: dict[str, list[Series]] = {}
    for one in series:
        by_patient.setdefault(_patient(one), []).append(one)
    pairs: list[Pair] = []
    questions: list[str] = []
    for patient in sorted(by_patient, key=lambda name: hashlib.sha256(name.encode()).hexdigest()):
        members = [one for one in by_patient[patient] if not one.is_localizer and one.n_images >= _LEAST_SLICES]
        mrs = [one for one in members if one.modality == "MR" and guess_technique(one.header)]
        cts = [one for one in members if one.modality == "CT"]
        if not mrs or not cts:
            lacking = " and ".join(name for name, found in (("bone MRI", mrs), ("CT", cts)) if not found)
            questions.append(f"patient {patient}: no {lacking} of at least {_LEAST_SLICES} slices")
            continue
        if len(mrs) > 1 or len(cts) > 1:
            questions.append(f"patient {patient}: {len(mrs)} MR and {len(cts)} CT series to choose from")
        participant_id = f"sub-{len(pairs) + 1:03d}"
        pairs.append(Pair(participant_id, max(mrs, key=_mr_rank).key, max(cts, key=_ct_rank).key))
    return Proposal(pairs, questions)


def write_pairs(path: Path, pairs: Sequence[Pair]) -> None:
    """Write pairs.tsv: participant_id and the keys of the MR and the CT series.

    Raises:
        SctError: The file cannot be written.
    """
    lines = ["\t".join(_PAIR_COLUMNS)] + ["\t".join((pair.participant_id, pair.mr, pair.ct)) for pair in pairs]
    write_text(path, "\n".join(lines) + "\n")


def read_pairs(path: Path, series: Mapping[str, Series]) -> list[Pair]:
    """Read pairs.tsv and check it against the series that are there.

    Args:
        path: The table; columns beside participant_id, mr and ct are ignored.
        series: Series by key.

    Raises:
        SctError: Unreadable, no pairs, a repeated participant, a series that is not there, or an MR given as CT.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise SctError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SctError(f"{path}: cannot be read as text ({error})") from error
    header = [cell.strip() for cell in lines[0].split("\t")] if lines else []
    missing = [column for column in _PAIR_COLUMNS if column not in header]
    if missing:
        raise SctError(f"{path}: no column {', '.join(missing)}; tab-separated {' '.join(_PAIR_COLUMNS)} were expected")
    pairs: list[Pair] = []
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        cells = dict(zip(header, (cell.strip() for cell in line.split("\t")), strict=False))
        pair = Pair(*(cells.get(column, "") for column in _PAIR_COLUMNS))
        where = f"{path}: line {number}"
        if not pair.participant_id:
            raise SctError(f"{where} has no {ID_COLUMN}")
        check_participant_id(pair.participant_id, where)
        if pair.participant_id in (other.participant_id for other in pairs):
            raise SctError(f"{where}: {ID_COLUMN} {pair.participant_id} is there more than once")
        for column, key, modality in (("mr", pair.mr, "MR"), ("ct", pair.ct, "CT")):
            if key not in series:
                raise SctError(f"{where}: {column} series {key or '(blank)'} is not among the DICOM files")
            if series[key].modality != modality:
                raise SctError(
                    f"{where}: the {column} series of {pair.participant_id} is of modality {series[key].modality}, "
                    f"not {modality}; are MR and CT swapped?"
                )
        pairs.append(pair)
    if not pairs:
        raise SctError(f"{path}: no pairs in it")
    return pairs


def _patient(series: Series) -> str:
    """What a patient's series have in common; for matching only, never written into a cohort."""
    return next(
        (
            text
            for keyword in ("PatientID", "PatientName", "StudyInstanceUID")
            if (text := header_text(series.header, keyword))
        ),
        series.key,
    )


def _mr_rank(series: Series) -> tuple[int, int]:
    """ZTE before UTE before GRE, which show bone the better the shorter the echo; then more slices."""
    technique = guess_technique(series.header) or ""
    return {"ZTE": 3, "UTE": 2, "GRE": 1}.get(technique, 0), series.n_images


def _ct_rank(series: Series) -> tuple[bool, int]:
    """Bone kernels first, then more (so thinner) slices."""
    kernel = header_text(series.header, "ConvolutionKernel").upper()
    return any(mark in kernel for mark in _BONE_KERNELS), series.n_images

"""DICOM series to a pseudonymised cohort folder."""

import hashlib
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from sct.cohorts.headers import age_years, guess_technique, vendor
from sct.cohorts.layouts import PARTICIPANTS_FILE
from sct.cohorts.pairs import Pair
from sct.cohorts.table import write_participants
from sct.core.errors import SctError
from sct.core.files import staged
from sct.core.volume import Volume
from sct.io.dicom import read_series
from sct.io.dicom_series import Series
from sct.io.dicom_values import header_number, header_text
from sct.io.volumes import write_volume

__all__ = ["COLUMNS", "check_new_folder", "columns_of", "write_cohort"]

COLUMNS = (
    "institution",
    "ct_vendor",
    "mr_vendor",
    "technique",
    "technique_guessed",
    "field_strength",
    "te_ms",
    "age",
    "sex",
)


def write_cohort(
    out: Path, pairs: Sequence[Pair], series: Mapping[str, Series], skip_errors: bool = False
) -> dict[str, str]:
    """Write `<participant_id>/{mr,ct}.nii.gz` and participants.tsv for all pairs.

    Only voxels, their place, and the columns of `COLUMNS` leave the DICOM files. Everything is made in a hidden folder
    that takes the place of `out` at the end, so that a cohort is there whole or not at all.

    Args:
        out: New or empty folder.
        pairs: Checked against `series`.
        series: By key.
        skip_errors: Leave out participants whose series are no volumes, instead of refusing.

    Returns:
        Why participants were left out, by id.

    Raises:
        SctError: `out` holds files or cannot be written, a series is no volume, or none is left.
    """
    from tqdm import tqdm

    check_new_folder(out)
    institutions = _institution_numbers(series[key] for pair in pairs for key in (pair.mr, pair.ct))
    left_out: dict[str, str] = {}
    table: dict[str, dict[str, str]] = {}
    with staged(out.parent) as hidden:
        made = hidden / out.name
        for pair in tqdm(pairs, desc="ingest", unit="participant", mininterval=1, disable=None):
            mr, ct = series[pair.mr], series[pair.ct]
            try:
                for name, one in (("mr", mr), ("ct", ct)):
                    _refuse_burned_in(one, f"{pair.participant_id}/{name}")
                    volume = read_series(one, f"{pair.participant_id}/{name}")
                    write_volume(_smallest(volume), made / pair.participant_id / f"{name}.nii.gz")
            except SctError as error:
                if not skip_errors:
                    raise
                left_out[pair.participant_id] = str(error)
                shutil.rmtree(made / pair.participant_id, ignore_errors=True)
                continue
            table[pair.participant_id] = columns_of(mr, ct, institutions)
        if not table:
            raise SctError(f"{out}: no participant is left; {'; '.join(left_out.values())}")
        write_participants(made / PARTICIPANTS_FILE, COLUMNS, table)
    return left_out


def check_new_folder(out: Path) -> None:
    """Refuse a place where a cohort cannot go.

    Raises:
        SctError: `out` holds files, is one, or has no name of its own (`.`, `..`).
    """
    if out.name in ("", ".."):
        raise SctError(f"{out}: give the cohort's folder by name; its inventory and pairs are written beside it")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SctError(f"{out}: exists and is not an empty folder; a cohort goes into a folder of its own")


def columns_of(mr: Series, ct: Series, institutions: Mapping[str, str]) -> dict[str, str]:
    """The cells of participants.tsv that headers fill.

    Args:
        mr: The MR series.
        ct: The CT series.
        institutions: Number by institution name.
    """
    technique = guess_technique(mr.header) or ""
    echo_ms = header_number(mr.header, "EchoTime")
    sex = header_text(mr.header, "PatientSex") or header_text(ct.header, "PatientSex")
    return {
        "institution": institutions.get(header_text(mr.header, "InstitutionName"), ""),
        "ct_vendor": vendor(ct.header),
        "mr_vendor": vendor(mr.header),
        "technique": technique,
        "technique_guessed": "yes" if technique else "",
        "field_strength": _field_strength(header_number(mr.header, "MagneticFieldStrength")),
        "te_ms": "" if echo_ms is None else f"{echo_ms:g}",
        "age": age_years(mr.header) or age_years(ct.header),
        "sex": sex if sex in ("M", "F", "O") else "",
    }


def _institution_numbers(series: Iterable[Series]) -> dict[str, str]:
    """Institutions by number, in the order of a hash of their name."""
    names = {header_text(one.header, "InstitutionName") for one in series} - {""}
    ordered = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    return {name: str(number) for number, name in enumerate(ordered, start=1)}


def _refuse_burned_in(series: Series, what: str) -> None:
    if series.burned_in is not None:
        raise SctError(
            f"{what}: {series.burned_in.name} says in its header that text is burned into the pixels, which may name "
            "the patient"
        )


def _field_strength(tesla: float | None) -> str:
    """Tesla in one spelling (`3`, `1.5`); some scanners write gauss, and 2.89 for a nominal 3."""
    if tesla is None:
        return ""
    tesla = tesla / 10_000 if tesla > 100 else tesla
    return f"{round(tesla * 2) / 2:g}"


def _smallest(volume: Volume) -> Volume:
    """The voxels as 16-bit integers where that loses nothing."""
    rounded = np.rint(volume.data)
    if np.array_equal(rounded, volume.data) and rounded.min() >= -32768 and rounded.max() <= 32767:
        return Volume(rounded.astype(np.int16), volume.affine)
    return volume

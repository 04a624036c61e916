"""What DICOM headers say about a scan, in the words of participants.tsv; nothing in them that names a person."""

import datetime
from typing import Any

from sct.cohorts.naming import SCOUT_NAMES, is_named
from sct.io.dicom_series import Series
from sct.io.dicom_values import header_number, header_text

__all__ = [
    "age_years",
    "guess_technique",
    "matrix_text",
    "patient_of",
    "spacing_text",
    "technique_in_name",
    "vendor",
]

# Echo times of bone MRI (paper, Cohort): ZTE 0-25 us, UTE 50-200 us, GRE 1-2 ms; the borders lie between.
_ZTE_BELOW_MS, _UTE_BELOW_MS, _GRE_BELOW_MS = 0.03, 0.5, 3.0
# What is named Black Bone may echo later: 4.2 ms in Eley et al., Br J Radiol 2012;85:272-8.
_BLACK_BONE_BELOW_MS = 5.0
# Black Bone flips by 5 degrees; T1-weighted gradient echoes (VIBE, SPGR, TOF) flip further.
_BONE_FLIP_BELOW_DEG = 8.5
# Names, the echo times that go with them (from, below), and whether a name without an echo time is enough. PETRA and
# Silenz are vendors' zero-TE sequences.
_NAMED = (
    ("ZTE", ("ZTE", "PETRA", "SILENZ"), 0.0, _UTE_BELOW_MS, True),
    ("UTE", ("UTE",), 0.0, _UTE_BELOW_MS, True),
    ("GRE", ("BLACK ?BONE",), _UTE_BELOW_MS, _BLACK_BONE_BELOW_MS, True),
    ("GRE", ("BONE",), _UTE_BELOW_MS, _GRE_BELOW_MS, False),
)
# Short echoes without bone contrast: T1, angiography, water and fat, scouts, maps.
_OTHER_NAMES = (
    *("MP2?RAGE", "MP RAGE", "BRAVO", "VIBE", "LAVA", "THRIVE", "FLASH", "F?SPGR", "TFE", "TFL", "T[12]W?", "DIXON"),
    *("TOF", "MRA", "MRV", "ANGIO(GRAPHY)?", "DCE", "DYN", "PERF", "SWI", "FLAIR", "STIR", "FIESTA", "TRUFI", "CISS"),
    *("CALIB(RATION)?", "ASSET", "B[01] ?MAP", "FIELD ?MAP", *SCOUT_NAMES),
)
_VENDORS = (("siemens", "Siemens"), ("ge ", "GE"), ("general electric", "GE"), ("philips", "Philips"))
_DAYS_PER_UNIT = {"D": 1.0, "W": 7.0, "M": 30.4375, "Y": 365.25}
_OLDEST_TOLD = 89  # older people are few enough to be known by their age (HIPAA safe harbor)


def guess_technique(header: Any) -> str | None:
    """ZTE, UTE or GRE; None where neither name nor echo time says so.

    Names count where the echo time does not contradict them: the second echo of a UTE is none. By echo time alone, one
    under 0.5 ms is ZTE or UTE, which nothing else reaches (0 in a derived image only means that nobody filled it in).
    From there to 3 ms, where MPRAGE, VIBE, TOF and SPGR lie too, it is GRE only with a flip angle as low as that of
    bone sequences, no inversion, and no name of another sequence.
    """
    named = technique_in_name(header)
    if named is not None:
        return named
    echo_ms = header_number(header, "EchoTime")
    if echo_ms is None or (echo_ms == 0 and "DERIVED" in header_text(header, "ImageType").upper()):
        return None
    if echo_ms < _ZTE_BELOW_MS:
        return "ZTE"
    if echo_ms < _UTE_BELOW_MS:
        return "UTE"
    flip_deg = header_number(header, "FlipAngle")
    is_like_bone = (
        flip_deg is not None and 0 < flip_deg < _BONE_FLIP_BELOW_DEG and not header_number(header, "InversionTime")
    )
    return "GRE" if echo_ms < _GRE_BELOW_MS and is_like_bone and not is_named(header, _OTHER_NAMES) else None


def technique_in_name(header: Any) -> str | None:
    """The technique that sequence, protocol or series is named after, and which its echo time allows; else None."""
    echo_ms = header_number(header, "EchoTime")
    for technique, names, from_ms, below_ms, is_enough in _NAMED:
        if (is_enough if echo_ms is None else from_ms <= echo_ms < below_ms) and is_named(header, names):
            return technique
    return None


def vendor(header: Any) -> str:
    """The scanner's maker in one spelling: Siemens, GE, Canon, Philips, else `other`; empty when missing."""
    text = header_text(header, "Manufacturer")
    low = text.lower() + " "
    for start, name in _VENDORS:
        if low.startswith(start):
            return name
    if "canon" in low or "toshiba" in low:
        return "Canon"
    return "other" if text else ""


def age_years(header: Any) -> str:
    """Age at the scan in years: two decimals below 2 years, whole numbers from there on, `89+` above 89.

    From PatientAge, else from birth and study dates; empty where neither is there.
    """
    text = header_text(header, "PatientAge").upper()
    days: float | None = None
    if len(text) >= 2 and text[:-1].isdecimal() and text[-1] in _DAYS_PER_UNIT:
        days = int(text[:-1]) * _DAYS_PER_UNIT[text[-1]]
    else:
        born, seen = (_date(header_text(header, keyword)) for keyword in ("PatientBirthDate", "StudyDate"))
        if born is not None and seen is not None and seen >= born:
            days = float((seen - born).days)
    if days is None:
        return ""
    years = days / 365.25
    if years >= _OLDEST_TOLD + 1:
        return f"{_OLDEST_TOLD}+"
    return f"{years:.2f}" if years < 2 else str(int(years + 1e-6))


def matrix_text(series: Series) -> str:
    """Columns x rows x images."""
    return f"{series.header.get('Columns')}x{series.header.get('Rows')}x{series.n_images}"


def spacing_text(header: Any) -> str:
    """Pixel size x slice thickness in mm, as far as the header says; what is no number as it stands there."""
    parts = [*header_text(header, "PixelSpacing").split("\\"), header_text(header, "SliceThickness")]
    return "x".join(_rounded(part) for part in parts if part)


def patient_of(header: Any) -> str:
    """What a patient's series have in common; for matching only, never written into a cohort. Empty when missing."""
    found = (header_text(header, keyword) for keyword in ("PatientID", "PatientName", "StudyInstanceUID"))
    return next((text for text in found if text), "")


def _rounded(text: str) -> str:
    try:
        return f"{float(text):.3g}"
    except ValueError:
        return text


def _date(text: str) -> datetime.date | None:
    try:
        return datetime.datetime.strptime(text[:8], "%Y%m%d").date()
    except ValueError:
        return None

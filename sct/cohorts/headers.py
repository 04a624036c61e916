"""What DICOM headers say about a scan, in the words of participants.tsv; nothing in them that names a person."""

import datetime
import re
from typing import Any

from sct.io.dicom_series import Series, header_text

__all__ = ["age_years", "guess_technique", "matrix_text", "spacing_text", "vendor"]

# Names of the three techniques in sequence and protocol names; PETRA and SILENT are vendors' zero-TE sequences.
_NAME_HINTS = (("ZTE", "ZTE"), ("PETRA", "ZTE"), ("SILENT", "ZTE"), ("SILENZ", "ZTE"), ("UTE", "UTE"), ("BLACK", "GRE"))
# Echo times of bone MRI (paper, Cohort): ZTE 0-25 us, UTE 50-200 us, GRE 1-2 ms; the borders lie between.
_ZTE_BELOW_MS, _UTE_BELOW_MS, _GRE_BELOW_MS = 0.03, 0.5, 3.0
_VENDORS = (("siemens", "Siemens"), ("ge ", "GE"), ("general electric", "GE"), ("philips", "Philips"))
_DAYS_PER_UNIT = {"D": 1.0, "W": 7.0, "M": 30.4375, "Y": 365.25}
_OLDEST_TOLD = 89  # older people are few enough to be known by their age (HIPAA safe harbor)


def guess_technique(header: Any) -> str | None:
    """ZTE, UTE or GRE by the names of sequence and protocol, else by the echo time; None where neither says.

    A guess: vendors name sequences as they like.
    """
    names = " ".join(
        header_text(header, keyword)
        for keyword in ("SequenceName", "PulseSequenceName", "ProtocolName", "SeriesDescription")
    ).upper()
    for hint, technique in _NAME_HINTS:
        if re.search(rf"(?<![A-Z]){hint}(?![A-Z])", names):  # not within another word, as in MINUTE
            return technique
    text = header_text(header, "EchoTime")
    try:
        echo_ms = float(text)
    except ValueError:
        return None
    if echo_ms < _ZTE_BELOW_MS:
        return "ZTE"
    if echo_ms < _UTE_BELOW_MS:
        return "UTE"
    # Spin echoes are never this short, so a scanning sequence that is not told does not matter.
    return "GRE" if echo_ms < _GRE_BELOW_MS else None


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
    if len(text) >= 2 and text[:-1].isdigit() and text[-1] in _DAYS_PER_UNIT:
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
    """Pixel size x slice thickness in mm, as far as the header says."""
    parts = [*header_text(header, "PixelSpacing").split("\\"), header_text(header, "SliceThickness")]
    return "x".join(f"{float(part):.3g}" for part in parts if part)


def _date(text: str) -> datetime.date | None:
    try:
        return datetime.datetime.strptime(text[:8], "%Y%m%d").date()
    except ValueError:
        return None

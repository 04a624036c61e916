"""What a series is, when it is not a scan as the scanner made it."""

from sct.cohorts.naming import SCOUT_NAMES, is_named
from sct.io.dicom_series import Series
from sct.io.dicom_values import header_text, header_values

__all__ = ["is_derived", "is_scout", "is_synthetic_ct", "note_on"]

# Names of CTs made from MR: research words, and the products MRCAT (Philips) and BoneMRI (MRIguidance).
_SYNTHETIC_NAMES = ("SYNTHETIC", "PSEUDO ?CT", "SUBSTITUTE ?CT", "SCT", "MR ?CT", "MRCAT", "BONEMRI", "FROM MR")
_WHERE_SYNTHETIC = ("SeriesDescription", "ProtocolName", "DerivationDescription", "ImageComments")
_OWN_MANUFACTURER = "sct"  # as sct.io.dicom_write signs
# Words in ImageType for reformatted planes, projections and screens.
_DERIVED_TYPES = ("DERIVED", "SECONDARY", "MPR", "REFORMATTED", "PROJECTION", "MIP", "MINIP", "VRT", "SCREEN")


def is_scout(series: Series) -> bool:
    """Whether it only plans the scan: by its image type, or by its name."""
    return series.is_localizer or is_named(series.header, SCOUT_NAMES)


def is_synthetic_ct(series: Series) -> bool:
    """Whether it is a CT that was computed from MR, ours or another's: derived, and described so."""
    if series.modality != "CT":
        return False
    is_ours = header_text(series.header, "Manufacturer") == _OWN_MANUFACTURER
    return is_ours or (is_derived(series) and is_named(series.header, _SYNTHETIC_NAMES, _WHERE_SYNTHETIC))


def is_derived(series: Series) -> bool:
    """Whether its image type says that it was computed from other images: reformatted planes, projections, maps."""
    words = (
        " ".join(str(value) for value in header_values(series.header, "ImageType")).upper().replace("_", " ").split()
    )
    return any(word in _DERIVED_TYPES for word in words)


def note_on(series: Series) -> str:
    """What a person who chooses among series should know of this one; empty when nothing."""
    kinds = (
        ("localizer", is_scout(series)),
        ("synthetic CT", is_synthetic_ct(series)),
        ("derived", is_derived(series)),
        ("text burned in", series.burned_in is not None),
    )
    return ", ".join(name for name, is_it in kinds if is_it)

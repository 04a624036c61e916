"""The image series of a DICOM tree as a table, for the person who chooses among them."""

from collections.abc import Sequence
from pathlib import Path

from sct.cohorts.headers import guess_technique, matrix_text, patient_of, spacing_text, vendor
from sct.cohorts.kinds import note_on
from sct.core.files import write_text
from sct.io.dicom_series import Series
from sct.io.dicom_values import header_text

__all__ = ["write_inventory"]

_INVENTORY_COLUMNS = (
    *("series", "patient", "study_date", "modality", "number", "description", "images", "matrix", "spacing_mm"),
    *("te_ms", "flip_deg", "sequence", "kernel", "vendor", "model", "field_strength", "technique_guessed", "note"),
)


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
            patient_of(header) or one.key,
            header_text(header, "StudyDate"),
            one.modality,
            header_text(header, "SeriesNumber"),
            header_text(header, "SeriesDescription"),
            str(one.n_images),
            matrix_text(one),
            spacing_text(header),
            header_text(header, "EchoTime"),
            header_text(header, "FlipAngle"),
            header_text(header, "SequenceName") or header_text(header, "PulseSequenceName"),
            header_text(header, "ConvolutionKernel"),
            vendor(header),
            header_text(header, "ManufacturerModelName"),
            header_text(header, "MagneticFieldStrength"),
            (guess_technique(header) or "") if one.modality == "MR" else "",
            note_on(one),
        ]
        lines.append("\t".join(cell or "n/a" for cell in cells))
    write_text(path, "\n".join(lines) + "\n")

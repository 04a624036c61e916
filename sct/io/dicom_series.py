"""Which image series a folder tree of DICOM files holds."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sct.core.errors import SctError
from sct.io.dicom_frames import macros

__all__ = ["Series", "find_series", "header_text"]

# Read for every file; pixels and long private data stay on disk.
_TAGS = [
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "Modality", "ImageType", "Rows",
    "Columns", "NumberOfFrames", "PixelSpacing", "SliceThickness", "ImagePositionPatient", "ImageOrientationPatient",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "EchoTime", "RepetitionTime",
    "SequenceName", "PulseSequenceName", "ScanningSequence", "SequenceVariant", "ProtocolName", "SeriesDescription",
    "SeriesNumber", "ConvolutionKernel", "Manufacturer", "ManufacturerModelName", "MagneticFieldStrength",
    "InstitutionName", "PatientID", "PatientName", "PatientAge", "PatientBirthDate", "PatientSex", "StudyDate",
    "BurnedInAnnotation", "SamplesPerPixel", "FrameOfReferenceUID", "GantryDetectorTilt",
]  # fmt: skip
# Where an enhanced (multi-frame) object keeps, in its functional groups, what a classic one has at the top.
_IN_GROUPS = {
    "EchoTime": "EffectiveEchoTime",
    "PixelSpacing": "PixelSpacing",
    "SliceThickness": "SliceThickness",
    "ConvolutionKernel": "ConvolutionKernel",
}


@dataclass(frozen=True)
class Series:
    """The image files of one series, or of one echo of it.

    Attributes:
        key: SeriesInstanceUID; with `#<echo time in ms>` where a series holds several echoes.
        files: In path order, each SOP instance once.
        header: Header of the first file, a pydicom Dataset without pixels; of an enhanced one with the echo time,
            spacing and kernel of its first frame.
    """

    key: str
    files: list[Path]
    header: Any = field(repr=False)

    @property
    def modality(self) -> str:
        """`MR`, `CT`, ..."""
        return header_text(self.header, "Modality")

    @property
    def is_localizer(self) -> bool:
        """Whether the header calls the images localizers (scouts, topograms)."""
        return "LOCALIZER" in [str(value).upper() for value in _values(self.header, "ImageType")]

    @property
    def n_images(self) -> int:
        """Number of files, or of frames where one file holds many."""
        return sum(max(1, int(self.header.get("NumberOfFrames") or 1)) for _ in self.files)


def find_series(folder: Path) -> list[Series]:
    """Read the headers of all DICOM images below a folder and group them; other files are passed over.

    The same image found twice (copies in an export) counts once.

    Args:
        folder: Any nesting, any mix of series.

    Returns:
        Image series in order of patient, study, series number and key. Empty when there are none.

    Raises:
        SctError: The folder is missing, or a DICOM file is damaged.
    """
    import pydicom
    from pydicom.errors import InvalidDicomError

    if not folder.is_dir():
        raise SctError(
            f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}; DICOM files were expected"
        )
    groups: dict[tuple[str, str], list[tuple[Path, Any]]] = {}
    seen: set[str] = set()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")):
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
        except InvalidDicomError:
            continue
        except Exception as error:  # pydicom raises many types on damaged headers
            raise SctError(f"{path}: damaged DICOM header ({' '.join(str(error).split()) or 'truncated'})") from error
        uid = str(header.get("SOPInstanceUID", path))
        if header.get("Rows") is None or uid in seen:
            continue
        seen.add(uid)
        _lift(header)
        series_uid = str(header.get("SeriesInstanceUID", path.parent))
        groups.setdefault((series_uid, header_text(header, "EchoTime")), []).append((path, header))
    echoes: dict[str, int] = {}
    for series_uid, _ in groups:
        echoes[series_uid] = echoes.get(series_uid, 0) + 1
    series = [
        Series(
            key=series_uid if echoes[series_uid] == 1 else f"{series_uid}#{echo}",
            files=[path for path, _ in members],
            header=members[0][1],
        )
        for (series_uid, echo), members in groups.items()
    ]
    return sorted(series, key=_order)


def _lift(header: Any) -> None:
    """Copy the first frame's values of an enhanced object to where classic objects have them."""
    shared, frames = (list(header.get(f"{name}FunctionalGroupsSequence") or [])[:1] for name in ("Shared", "PerFrame"))
    for item in macros([*frames, *shared]):
        for keyword, there in _IN_GROUPS.items():
            if keyword not in header and there in item:
                setattr(header, keyword, item[there].value)


def header_text(header: Any, keyword: str) -> str:
    """A header value as plain text without line breaks; values joined by backslashes; empty when missing."""
    return "\\".join(" ".join(str(value).split()) for value in _values(header, keyword))


def _values(header: Any, keyword: str) -> list[Any]:
    value = header.get(keyword)
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, list) or type(value).__name__ == "MultiValue" else [value]


def _order(series: Series) -> tuple[str, str, int, str]:
    number = header_text(series.header, "SeriesNumber")
    return (
        header_text(series.header, "PatientID"),
        header_text(series.header, "StudyDate"),
        int(number) if number.lstrip("-").isdigit() else 0,
        series.key,
    )

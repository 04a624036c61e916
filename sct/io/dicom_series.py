"""Which image series a folder tree of DICOM files holds."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sct.core.errors import SctError
from sct.io.dicom_files import read_dataset
from sct.io.dicom_frames import macros
from sct.io.dicom_values import header_count, header_text, header_values

__all__ = ["HEADER_TAGS", "DicomTree", "Series", "find_series", "read_tree"]

HEADER_TAGS = [
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "Modality", "ImageType", "Rows",
    "Columns", "NumberOfFrames", "PixelSpacing", "SliceThickness", "ImagePositionPatient", "ImageOrientationPatient",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "EchoTime", "RepetitionTime",
    "SequenceName", "PulseSequenceName", "ScanningSequence", "SequenceVariant", "ProtocolName", "SeriesDescription",
    "SeriesNumber", "ConvolutionKernel", "Manufacturer", "ManufacturerModelName", "MagneticFieldStrength",
    "InstitutionName", "PatientID", "PatientName", "PatientAge", "PatientBirthDate", "PatientSex", "StudyDate",
    "BurnedInAnnotation", "SamplesPerPixel", "FrameOfReferenceUID", "GantryDetectorTilt", "FlipAngle", "InversionTime",
    "DerivationDescription", "ImageComments", "RescaleSlope", "RescaleIntercept",
]  # fmt: skip
"""Read of every file; pixels and long private data stay on disk."""
# Where an enhanced (multi-frame) object keeps, in its functional groups, what a classic one has at the top.
_IN_GROUPS = {
    "EchoTime": "EffectiveEchoTime",
    "FlipAngle": "FlipAngle",
    "InversionTime": "InversionTimes",
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
            flip angle, spacing and kernel of its first frame.
        burned_in: The first file whose header says that text is burned into its pixels; None when none does.
    """

    key: str
    files: list[Path]
    header: Any = field(repr=False)
    burned_in: Path | None = None

    @property
    def modality(self) -> str:
        """`MR`, `CT`, ..."""
        return header_text(self.header, "Modality")

    @property
    def is_localizer(self) -> bool:
        """Whether the header calls the images localizers (scouts, topograms)."""
        return "LOCALIZER" in [str(value).upper() for value in header_values(self.header, "ImageType")]

    @property
    def n_images(self) -> int:
        """Number of files, or of frames where one file holds many."""
        return len(self.files) * header_count(self.header, "NumberOfFrames", self.key, default=1)


@dataclass(frozen=True)
class DicomTree:
    """What a folder tree holds.

    Attributes:
        series: Image series in order of patient, study, series number and key.
        passed_over: Other files (reports, text, what is no DICOM at all), in path order; hidden ones are not listed.
        damaged: Why DICOM files could not be read, a line each that names the file; they are in no series.
    """

    series: list[Series]
    passed_over: list[Path]
    damaged: list[str]


def find_series(folder: Path) -> list[Series]:
    """The image series of `read_tree`.

    Raises:
        SctError: The folder is missing, or a DICOM file is damaged.
    """
    tree = read_tree(folder)
    if tree.damaged:
        raise SctError(tree.damaged[0])
    return tree.series


def read_tree(folder: Path) -> DicomTree:
    """Read the headers of all DICOM images below a folder and group them.

    The same image found twice (copies in an export) counts once.

    Args:
        folder: Any nesting, any mix of series.

    Raises:
        SctError: The folder is missing.
    """
    if not folder.is_dir():
        raise SctError(
            f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}; DICOM files were expected"
        )
    groups: dict[tuple[str, str], list[tuple[Path, Any]]] = {}
    seen: set[str] = set()
    passed_over: list[Path] = []
    damaged: list[str] = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")):
        try:
            header = read_dataset(path, tags=HEADER_TAGS)
            if header is None or header.get("Rows") is None:
                passed_over.append(path)
                continue
            for keyword, default in (("Rows", None), ("Columns", None), ("NumberOfFrames", 1)):
                header_count(header, keyword, str(path), default)
        except SctError as error:
            damaged.append(str(error))
            continue
        uid = str(header.get("SOPInstanceUID", path))
        if uid in seen:
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
            burned_in=next((path for path, header in members if _has_burned_in_text(header)), None),
        )
        for (series_uid, echo), members in groups.items()
    ]
    return DicomTree(sorted(series, key=_order), passed_over, damaged)


def _lift(header: Any) -> None:
    """Copy the first frame's values of an enhanced object to where classic objects have them."""
    shared, frames = (list(header.get(f"{name}FunctionalGroupsSequence") or [])[:1] for name in ("Shared", "PerFrame"))
    for item in macros([*frames, *shared]):
        for keyword, there in _IN_GROUPS.items():
            if keyword not in header and there in item:
                setattr(header, keyword, item[there].value)


def _has_burned_in_text(header: Any) -> bool:
    return header_text(header, "BurnedInAnnotation").upper() == "YES"


def _order(series: Series) -> tuple[str, str, int, str]:
    number = header_text(series.header, "SeriesNumber")
    return (
        header_text(series.header, "PatientID"),
        header_text(series.header, "StudyDate"),
        int(number) if number.isdecimal() else 0,
        series.key,
    )

"""A synthetic CT as a DICOM series that PACS and planning systems take."""

import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.core.errors import SctError
from sct.core.files import staged
from sct.core.volume import Volume
from sct.io.dicom_files import read_dataset
from sct.io.dicom_frames import frames_of
from sct.io.dicom_series import HEADER_TAGS, Series, find_series
from sct.io.dicom_values import header_text

__all__ = ["SERIES_DESCRIPTION", "require_perpendicular", "write_ct_series"]

SERIES_DESCRIPTION = "Synthetic CT from MR - NOT FOR DIAGNOSIS"
_DERIVATION = (
    "Synthetic CT predicted from an MR volume by a neural network (sct). Research use only, not for diagnosis."
)
_MODEL_NAME = "sct synthetic CT"
# Stored values are 12-bit with the usual intercept, which every viewer of CT expects.
_INTERCEPT_HU, _HIGHEST_HU = -1024, 3071
_WINDOW_HU = (500, 2000)  # level and width of the bone window in which networks are trained
# What the new series shares with the MR: the patient, the study and the frame of reference.
_COPIED = [
    "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "PatientAge", "PatientWeight",
    "PatientSize", "StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "StudyDescription", "AccessionNumber",
    "ReferringPhysicianName", "FrameOfReferenceUID", "PositionReferenceIndicator", "PatientPosition",
    "BodyPartExamined", "SpecificCharacterSet",
]  # fmt: skip
# Present even when empty (type 2 of the standard's CT Image IOD).
_EMPTY_WHEN_UNKNOWN = [
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName", "PositionReferenceIndicator", "PatientPosition", "KVP",
    "AcquisitionNumber",
]  # fmt: skip


def write_ct_series(volume_hu: Volume, folder: Path, source: Path | None = None) -> list[Path]:
    """Write one CT Image Storage file per slice, slices being those of the volume's third axis.

    Args:
        volume_hu: HU; clipped to -1024..3071 and rounded.
        folder: New or empty folder.
        source: Folder with the DICOM series of the MR, whose patient, study and frame of reference the new series
            joins, and whose images it names as its source. Without it, patient and study are left empty.

    Returns:
        The files, in slice order.

    Raises:
        SctError: The folder holds files or cannot be written, the volume's axes are not perpendicular, or the source
            is no DICOM series.
    """
    volume = _right_handed(volume_hu)
    require_perpendicular(volume, str(folder))
    if folder.is_dir() and any(folder.iterdir()):
        raise SctError(f"{folder}: holds files already; a series goes into a folder of its own")
    original = _source_series(source)
    common = _common_header(original)
    references = _source_images(original)
    names = [f"ct-{k + 1:04d}.dcm" for k in range(volume.shape[2])]
    with staged(folder) as made:
        for k, name in enumerate(names):
            _slice(volume, k, common, references).save_as(made / name, enforce_file_format=True)
    return [folder / name for name in names]


def require_perpendicular(volume: Volume, what: str) -> None:
    """Refuse a volume that DICOM slices cannot hold.

    Args:
        volume: The volume.
        what: Begins the message.

    Raises:
        SctError: The volume's axes are not perpendicular.
    """
    directions = volume.affine[:3, :3] / volume.spacing_mm
    if not np.allclose(directions.T @ directions, np.eye(3), atol=1e-3):
        raise SctError(f"{what}: the volume's axes are not perpendicular, which DICOM slices need; resample it first")


def _right_handed(volume: Volume) -> Volume:
    """The same voxels with slices in the order of their normal, as DICOM numbers them."""
    if np.linalg.det(volume.affine[:3, :3]) > 0:
        return volume
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, 2] * (volume.shape[2] - 1)
    affine[:3, 2] *= -1
    return Volume(volume.data[:, :, ::-1], affine)


def _source_series(source: Path | None) -> Series | None:
    if source is None:
        return None
    series = [one for one in find_series(source) if not one.is_localizer]
    if len(series) != 1:
        raise SctError(f"{source}: {len(series)} DICOM series in it; the one of the MR was expected")
    return series[0]


def _common_header(original: Series | None) -> Any:
    """What all slices share."""
    import pydicom
    from pydicom.uid import CTImageStorage, generate_uid

    header: Any = pydicom.Dataset()
    if original is not None:
        whole: Any = read_dataset(original.files[0], tags=["SOPClassUID", *_COPIED])
        for keyword in _COPIED:
            if keyword in whole:
                header[keyword] = whole[keyword]
    for keyword in _EMPTY_WHEN_UNKNOWN:
        if keyword not in header:
            setattr(header, keyword, None if keyword in ("KVP", "AcquisitionNumber") else "")
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID"):
        if keyword not in header:
            setattr(header, keyword, generate_uid())
    if not header.get("BodyPartExamined"):
        header.BodyPartExamined = "HEADNECK"
    now = datetime.datetime.now(datetime.UTC).astimezone()
    header.SOPClassUID = CTImageStorage
    header.SeriesInstanceUID = generate_uid()
    header.Modality = "CT"
    header.SeriesNumber = 9001  # beyond what scanners count to
    header.SeriesDescription = SERIES_DESCRIPTION
    header.SeriesDate = header.ContentDate = header.InstanceCreationDate = now.strftime("%Y%m%d")
    header.SeriesTime = header.ContentTime = header.InstanceCreationTime = now.strftime("%H%M%S")
    header.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    header.DerivationDescription = _DERIVATION
    header.ImageComments = SERIES_DESCRIPTION
    header.BurnedInAnnotation = "NO"
    header.LossyImageCompression = "00"
    header.Manufacturer = "sct"
    header.ManufacturerModelName = _MODEL_NAME
    header.SamplesPerPixel = 1
    header.PhotometricInterpretation = "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 12, 11, 0
    header.RescaleIntercept, header.RescaleSlope, header.RescaleType = _INTERCEPT_HU, 1, "HU"
    header.WindowCenter, header.WindowWidth = _WINDOW_HU
    return header


def _source_images(original: Series | None) -> list[tuple[NDArray[np.float64], Any]]:
    """Position and reference of each image of the MR."""
    import pydicom

    found: list[tuple[NDArray[np.float64], Any]] = []
    for index, path in enumerate(original.files if original is not None else []):
        header: Any = read_dataset(path, tags=HEADER_TAGS)
        if not header_text(header, "SOPInstanceUID"):
            continue  # an image without a name cannot be named
        reference: Any = pydicom.Dataset()
        reference.ReferencedSOPClassUID = header.SOPClassUID
        reference.ReferencedSOPInstanceUID = header.SOPInstanceUID
        purpose: Any = pydicom.Dataset()
        purpose.CodeValue, purpose.CodingSchemeDesignator = "121322", "DCM"
        purpose.CodeMeaning = "Source image for image processing operation"
        reference.PurposeOfReferenceCodeSequence = [purpose]
        found.append((frames_of(header, index, str(path))[0].position_mm, reference))
    return found


def _slice(volume: Volume, k: int, common: Any, references: list[tuple[NDArray[np.float64], Any]]) -> Any:
    import pydicom
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    to_lps = np.array([-1.0, -1.0, 1.0])
    spacing = volume.spacing_mm
    directions = to_lps[:, None] * volume.affine[:3, :3] / spacing
    position = to_lps * (volume.affine @ [0, 0, k, 1])[:3]
    dataset: Any = pydicom.Dataset()
    dataset.update(common)
    dataset.SOPInstanceUID = generate_uid()
    dataset.InstanceNumber = k + 1
    dataset.ImagePositionPatient = [_decimal(value) for value in position]
    dataset.ImageOrientationPatient = [_decimal(value) for value in directions[:, :2].T.ravel()]
    dataset.PixelSpacing = [_decimal(spacing[1]), _decimal(spacing[0])]
    dataset.SliceThickness = dataset.SpacingBetweenSlices = _decimal(spacing[2])
    if references:
        normal = np.cross(directions[:, 0], directions[:, 1])
        nearest = min(references, key=lambda one: abs(float((one[0] - position) @ normal)))
        dataset.SourceImageSequence = [nearest[1]]
    hu = np.clip(np.rint(np.asarray(volume.data[:, :, k], dtype=np.float64)), _INTERCEPT_HU, _HIGHEST_HU)
    stored = (hu - _INTERCEPT_HU).astype("<u2").T
    dataset.Rows, dataset.Columns = stored.shape
    dataset.PixelData = np.ascontiguousarray(stored).tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset


def _decimal(value: float) -> str:
    """A number as DICOM's decimal string, at most 16 characters."""
    from pydicom.valuerep import format_number_as_ds

    return str(format_number_as_ds(float(value) + 0.0))

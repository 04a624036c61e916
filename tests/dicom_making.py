"""DICOM series made by pydicom, as scanners write them and with what goes wrong in exports."""

from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import CTImageStorage, EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from sct.core.volume import Volume

TO_LPS = np.array([-1.0, -1.0, 1.0])


def a_volume(shape=(6, 5, 7), affine=None, low=-1000, high=1500, seed=0):
    """Noise on an axial grid, columns to patient left and rows to posterior, as most axial series are."""
    if affine is None:
        affine = np.array([[-0.8, 0, 0, 30], [0, -0.9, 0, 40], [0, 0, 1.5, -20], [0, 0, 0, 1.0]])
    data = np.random.default_rng(seed).integers(low, high, shape).astype(np.float32)
    return Volume(data, np.asarray(affine, dtype=float))


def write_series(
    folder: Path, volume: Volume, modality="MR", slope=1.0, intercept=None, tilt_mm=0.0, **tags
) -> list[Path]:
    """A classic series: a file per slice, in shuffled file names; `tilt_mm` shifts each slice along its rows."""
    folder.mkdir(parents=True, exist_ok=True)
    intercept = (-1024.0 if modality == "CT" else 0.0) if intercept is None else intercept
    shared = header(modality, **tags)
    spacing = volume.spacing_mm
    directions = TO_LPS[:, None] * volume.affine[:3, :3] / spacing
    paths = []
    for k in range(volume.shape[2]):
        dataset = pydicom.Dataset()
        dataset.update(shared)
        dataset.SOPInstanceUID = generate_uid()
        dataset.InstanceNumber = k + 1
        position = TO_LPS * (volume.affine @ [0, 0, k, 1])[:3] + directions[:, 1] * tilt_mm * k
        dataset.ImagePositionPatient = [f"{value:.6f}" for value in position]
        dataset.ImageOrientationPatient = [f"{value:.9f}" for value in directions[:, :2].T.ravel()]
        dataset.PixelSpacing = [f"{spacing[1]:.6f}", f"{spacing[0]:.6f}"]
        dataset.SliceThickness = f"{spacing[2]:.6f}"
        dataset.RescaleSlope, dataset.RescaleIntercept = slope, intercept
        put_pixels(dataset, np.rint((volume.data[:, :, k].T - intercept) / slope))
        paths.append(folder / f"{(k * 7919) % 1000:03d}-{k}")  # names without suffix and order, as exports have
        save(dataset, paths[-1])
    return paths


def write_enhanced(path: Path, volume: Volume, slope=2.0, **tags) -> Path:
    """The whole volume in one multi-frame file; slices in reverse, slope per frame."""
    path.parent.mkdir(parents=True, exist_ok=True)
    spacing = volume.spacing_mm
    directions = TO_LPS[:, None] * volume.affine[:3, :3] / spacing
    dataset = header("MR", **tags)
    dataset.SOPClassUID = EnhancedMRImageStorage
    dataset.SOPInstanceUID = generate_uid()
    order = list(reversed(range(volume.shape[2])))
    dataset.NumberOfFrames = len(order)
    orientation, measures = pydicom.Dataset(), pydicom.Dataset()
    orientation.ImageOrientationPatient = [f"{value:.9f}" for value in directions[:, :2].T.ravel()]
    measures.PixelSpacing = [f"{spacing[1]:.6f}", f"{spacing[0]:.6f}"]
    shared = pydicom.Dataset()
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation], [measures]
    dataset.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for k in order:
        place, scale, group = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
        place.ImagePositionPatient = [f"{v:.6f}" for v in TO_LPS * (volume.affine @ [0, 0, k, 1])[:3]]
        scale.RescaleSlope, scale.RescaleIntercept, scale.RescaleType = slope, k, "US"
        group.PlanePositionSequence, group.PixelValueTransformationSequence = [place], [scale]
        groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = groups
    put_pixels(dataset, np.stack([np.rint((volume.data[:, :, k].T - k) / slope) for k in order]))
    save(dataset, path)
    return path


def header(modality: str, **tags) -> pydicom.Dataset:
    """Everything but place and pixels, with identifying text in every place that has it."""
    dataset = pydicom.Dataset()
    dataset.SOPClassUID = CTImageStorage if modality == "CT" else MRImageStorage
    dataset.Modality = modality
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = "Secretperson^Ada", "SECRET-4711", "20150301"
    dataset.PatientSex, dataset.AccessionNumber = "F", "SECRETACC"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = (
        generate_uid() for _ in range(3)
    )
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID, dataset.SeriesNumber = "20220301", "120000", "1", 3
    dataset.ReferringPhysicianName = "Secretdoctor"
    dataset.InstitutionName = "Secret Hospital"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL" if modality == "CT" else "M"]
    dataset.PositionReferenceIndicator, dataset.PatientPosition = "", "HFS"
    dataset.Manufacturer, dataset.ManufacturerModelName = "SIEMENS", "Prisma"
    if modality == "MR":
        dataset.EchoTime, dataset.RepetitionTime, dataset.MagneticFieldStrength = "0.07", "5", "3"
        dataset.SeriesDescription = "bone SECRETTEXT"
    else:
        dataset.SeriesDescription, dataset.ConvolutionKernel = "head SECRETTEXT", "Hr60"
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    return dataset


def put_pixels(dataset: pydicom.Dataset, stored: np.ndarray) -> None:
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = stored.shape[-2:]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
    dataset.PixelData = stored.astype("<i2").tobytes()
    dataset["PixelData"].VR = "OW"


def save(dataset: pydicom.Dataset, path: Path, syntax=ExplicitVRLittleEndian) -> None:
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(path, enforce_file_format=True)


def edit(path: Path, **tags) -> None:
    """Change values of a file in place."""
    dataset = pydicom.dcmread(path)
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path, enforce_file_format=True)


def spoil(path: Path, keyword: str, text: bytes) -> None:
    """Put bytes into a header element that are not what the standard allows there, as some scanners do."""
    dataset = pydicom.dcmread(path)
    tag = pydicom.tag.Tag(keyword)
    vr = pydicom.datadict.dictionary_VR(tag)
    dataset[tag] = pydicom.dataelem.RawDataElement(tag, vr, len(text), text, 0, False, True)
    dataset.save_as(path)

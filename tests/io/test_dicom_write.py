import shutil
import subprocess

import numpy as np
import pydicom
import pytest
import SimpleITK
from dicom_making import a_volume, write_enhanced, write_series
from scipy.spatial.transform import Rotation

from sct.core.errors import SctError
from sct.core.volume import Volume
from sct.io.dicom_write import write_ct_series
from sct.io.volumes import read_volume


def validated(paths):
    """What dicom3tools' validator calls an error in any of the files."""
    tool = shutil.which("dciodvfy")
    if tool is None:
        pytest.skip("dciodvfy (Debian's dicom3tools) is not installed")
    lines = []
    for path in paths:
        done = subprocess.run([tool, "-new", str(path)], capture_output=True, text=True, errors="replace", check=False)
        lines += [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]
        assert "CTImage" in done.stdout + done.stderr
    return lines


@pytest.fixture
def mr_series(tmp_path):
    volume = a_volume(low=0, high=2000)
    write_series(tmp_path / "mr", volume)
    return tmp_path / "mr"


def test_the_series_is_valid_and_joins_the_patient_study_and_frame_of_reference(tmp_path, mr_series):
    mr = read_volume(mr_series)
    hu = Volume(np.random.default_rng(1).uniform(-1200, 2500, mr.shape).astype(np.float32), mr.affine)
    paths = write_ct_series(hu, tmp_path / "ct", mr_series)
    assert validated(paths) == []
    original = pydicom.dcmread(next(mr_series.iterdir()))
    written = [pydicom.dcmread(path) for path in paths]
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert {str(dataset[keyword].value) for dataset in written} == {str(original[keyword].value)}
    assert len({dataset.SeriesInstanceUID for dataset in written} - {original.SeriesInstanceUID}) == 1
    assert len({dataset.SOPInstanceUID for dataset in written}) == len(written) == hu.shape[2]
    first = written[0]
    assert first.SOPClassUID == pydicom.uid.CTImageStorage
    assert list(first.ImageType)[:2] == ["DERIVED", "SECONDARY"]
    assert "synthetic" in first.SeriesDescription.lower()
    assert "not for diagnosis" in first.SeriesDescription.lower()
    assert "neural network" in first.DerivationDescription
    source = {str(pydicom.dcmread(path).SOPInstanceUID) for path in mr_series.iterdir()}
    assert {str(dataset.SourceImageSequence[0].ReferencedSOPInstanceUID) for dataset in written} == source


def test_it_is_read_back_at_its_place(tmp_path, mr_series):
    mr = read_volume(mr_series)
    hu = Volume(np.random.default_rng(2).uniform(-1000, 2500, mr.shape).astype(np.float32), mr.affine)
    write_ct_series(hu, tmp_path / "ct", mr_series)
    back = read_volume(tmp_path / "ct")
    np.testing.assert_array_equal(back.data, np.rint(hu.data))
    np.testing.assert_allclose(back.affine, mr.affine, atol=1e-4)


@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, 1), (1, -1, -1), (-1, -1, -1)])
def test_any_orientation_and_handedness_keeps_its_world(tmp_path, signs):
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", [70, 20, -35], degrees=True).as_matrix() * [0.7, 0.8, 1.2] * signs
    affine[:3, 3] = [5, -6, 7]
    volume = a_volume(affine=affine.astype(np.float32))
    paths = write_ct_series(volume, tmp_path / "ct")
    assert validated(paths[:2]) == []
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path / "ct")))
    image = reader.Execute()
    for index in [(0, 0, 0), (5, 4, 6), (2, 1, 3)]:
        world = volume.affine @ [*index, 1]
        at = image.TransformPhysicalPointToIndex((world[:3] * [-1, -1, 1]).tolist())
        assert image[at] == volume.data[index]


def test_values_beyond_the_stored_range_are_clipped(tmp_path):
    volume = a_volume()
    volume.data[:2] = [[[-3000.0]], [[9000.0]]]
    write_ct_series(volume, tmp_path / "ct")
    back = read_volume(tmp_path / "ct").data
    assert (back.min(), back.max()) == (-1024, 3071)


def test_an_enhanced_mr_is_a_source_too(tmp_path):
    volume = a_volume(low=0, high=2000)
    write_enhanced(tmp_path / "mr" / "e.dcm", volume)
    paths = write_ct_series(volume, tmp_path / "ct", tmp_path / "mr")
    assert validated(paths) == []


def test_mistakes_are_named_and_leave_nothing(tmp_path, mr_series):
    volume = a_volume()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(SctError, match="holds files already"):
        write_ct_series(volume, tmp_path / "full")
    with pytest.raises(SctError, match="is a file"):
        write_ct_series(volume, tmp_path / "full" / "x")
    sheared = volume.affine.copy()
    sheared[0, 2] = 0.5
    with pytest.raises(SctError, match="not perpendicular"):
        write_ct_series(Volume(volume.data, sheared), tmp_path / "ct")
    write_series(mr_series / "more", volume)
    with pytest.raises(SctError, match="2 DICOM series"):
        write_ct_series(volume, tmp_path / "ct", mr_series)
    assert not (tmp_path / "ct").exists()


def test_a_full_disk_leaves_no_slices(tmp_path, monkeypatch):
    real, count = pydicom.Dataset.save_as, []

    def full(self, path, **options):
        count.append(path)
        if len(count) == 4:
            raise OSError(28, "No space left on device")
        real(self, path, **options)

    monkeypatch.setattr(pydicom.Dataset, "save_as", full)
    with pytest.raises(SctError, match="No space left"):
        write_ct_series(a_volume(), tmp_path / "ct")
    assert list(tmp_path.iterdir()) == []

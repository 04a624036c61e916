import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK
from dicom_making import a_volume, edit, spoil, write_enhanced, write_series
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)
from scipy.spatial.transform import Rotation

from sct.core.errors import SctError
from sct.core.volume import Volume
from sct.geometry.resample import resample
from sct.io.dicom_series import find_series, read_tree
from sct.io.volumes import read_volume


def oblique():
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", [20, -15, 160], degrees=True).as_matrix() * [0.7, 0.8, 1.2]
    affine[:3, 3] = [11, -22, 33]
    return affine


def refused(folder: Path) -> str:
    with pytest.raises(SctError) as caught:
        read_volume(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("affine", [None, oblique()], ids=["axial", "oblique"])
@pytest.mark.parametrize(("modality", "slope", "intercept"), [("MR", 1, 0), ("CT", 1, -1024), ("CT", 2, -500)])
def test_a_classic_series_is_read_as_it_was_made(tmp_path, affine, modality, slope, intercept):
    volume = a_volume(affine=affine)
    volume = Volume(np.rint((volume.data - intercept) / slope) * slope + intercept, volume.affine)
    write_series(tmp_path / "s", volume, modality, slope, intercept)
    back = read_volume(tmp_path / "s")
    np.testing.assert_array_equal(back.data, volume.data)
    np.testing.assert_allclose(back.affine, volume.affine, atol=1e-5)


def test_agrees_with_gdcm_through_simpleitk(tmp_path):
    write_series(tmp_path, a_volume(affine=oblique()), "CT")
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path)))
    image, volume = reader.Execute(), read_volume(tmp_path)
    for index in [(0, 0, 0), (5, 4, 6), (2, 3, 1)]:
        lps = np.array(image.TransformIndexToPhysicalPoint(index))
        at = np.round(np.linalg.inv(volume.affine) @ [*(lps * [-1, -1, 1]), 1], 3)[:3]
        np.testing.assert_allclose(at, np.round(at), atol=5e-3)
        assert volume.data[tuple(np.round(at).astype(int))] == image[index]


def test_slices_that_run_against_their_normal_make_a_right_handed_volume(tmp_path):
    volume = a_volume()
    mirrored = volume.affine.copy()
    mirrored[:3, 3] += mirrored[:3, 2] * 6
    mirrored[:3, 2] *= -1
    write_series(tmp_path, Volume(volume.data[:, :, ::-1], mirrored))
    np.testing.assert_array_equal(read_volume(tmp_path).data, volume.data)


def test_an_enhanced_multi_frame_file_is_read_as_it_was_made(tmp_path):
    volume = a_volume(affine=oblique())
    k = np.arange(7)
    volume = Volume((np.rint((volume.data - k) / 2) * 2 + k).astype(np.float32), volume.affine)
    write_enhanced(tmp_path / "e.dcm", volume, slope=2.0)
    back = read_volume(tmp_path)
    np.testing.assert_array_equal(back.data, volume.data)
    np.testing.assert_allclose(back.affine, volume.affine, atol=1e-5)


def test_a_tilted_gantry_is_straightened(tmp_path):
    """A smooth field, sampled on tilted slices, must come back at its places in the world."""
    affine = np.array([[-0.8, 0, 0, 30], [0, -0.8, 0, 40], [0, 0, 2.0, -20], [0, 0, 0, 1.0]])
    shape, tilt_mm = (30, 30, 12), 0.7
    sheared = affine.copy()
    sheared[:3, 2] += affine[:3, 1] / 0.8 * tilt_mm  # rows grow to posterior
    world = sheared[:3, :3] @ np.indices(shape).reshape(3, -1) + sheared[:3, 3:]
    field = np.rint(400 * np.sin(world[0] / 6) + 400 * np.cos(world[1] / 7) + 10 * world[2]).reshape(shape)
    write_series(tmp_path, Volume(field.astype(np.float32), affine), "CT", tilt_mm=tilt_mm, GantryDetectorTilt="19.3")
    back = read_volume(tmp_path)
    axes = back.affine[:3, :3] / back.spacing_mm
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-6)
    assert back.shape[:3] == (30, 30 + int(np.ceil(11 * tilt_mm / 0.8)), 12)
    np.testing.assert_allclose(back.spacing_mm, [0.8, 0.8, 2.0], atol=1e-5)
    at = back.affine[:3, :3] @ np.indices(back.shape).reshape(3, -1) + back.affine[:3, 3:]
    expected = (400 * np.sin(at[0] / 6) + 400 * np.cos(at[1] / 7) + 10 * at[2]).reshape(back.shape)
    _, inside = resample(Volume(field.astype(np.float32)[:, 1:-1], sheared), back.shape, back.affine)
    inside &= back.data > field.min()
    assert inside.mean() > 0.5
    assert np.abs(back.data - expected)[inside & (np.roll(inside, 1, 1)) & (np.roll(inside, -1, 1))].max() < 5


def test_padding_of_a_ct_becomes_air_and_of_an_mr_stays(tmp_path):
    volume = a_volume()
    volume.data[0, 0, :] = -1524
    write_series(tmp_path / "ct", volume, "CT", PixelPaddingValue=-500)
    write_series(tmp_path / "mr", volume, "MR", PixelPaddingValue=-1524)
    assert np.all(read_volume(tmp_path / "ct").data[0, 0] == -1000)
    assert np.all(read_volume(tmp_path / "mr").data[0, 0] == -1524)


@pytest.mark.parametrize(
    ("value", "limit", "signed", "padded"),
    [
        (-2000, None, True, [-2000]),
        (-2000, -1500, True, [-2000, -1700, -1500]),
        (-1500, -2000, True, [-2000, -1700, -1500]),  # the limit may lie on either side
        (63536, None, True, [-2000]),  # -2000 as unsigned scanners write it
        (4000, 4095, False, [4000, 4050, 4095]),
    ],
)
def test_the_range_of_padding_values_becomes_air(tmp_path, value, limit, signed, padded):
    stored = np.array([-2001, -2000, -1700, -1500, -1499, 0, 40] if signed else [0, 40, 3999, 4000, 4050, 4095, 4096])
    volume = a_volume((7, 5, 3))
    volume.data[:] = stored[:, None, None] - 1024
    for path in write_series(tmp_path, volume, "CT"):
        dataset = pydicom.dcmread(path)
        dataset.PixelRepresentation = int(signed)
        for keyword, end in (("PixelPaddingValue", value), ("PixelPaddingRangeLimit", limit)):
            if end is not None:
                dataset.add_new(keyword, "SS" if end < 0 else "US", end)
        dataset.save_as(path)
    expected = np.where(np.isin(stored, padded), -1000, stored - 1024)
    np.testing.assert_array_equal(read_volume(tmp_path).data[:, 2, 1], expected)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_files_without_preamble_are_read_as_they_were_written(tmp_path, syntax):
    volume = a_volume()
    for path in write_series(tmp_path, volume, "CT", PixelPaddingValue=-3000):
        dataset = pydicom.dcmread(path)
        if syntax == ExplicitVRBigEndian:
            dataset.PixelData = np.frombuffer(dataset.PixelData, "<i2").astype(">i2").tobytes()
        bare = pydicom.Dataset({element.tag: element for element in dataset})
        little = syntax != ExplicitVRBigEndian
        bare.save_as(path, implicit_vr=syntax.is_implicit_VR, little_endian=little)
        assert path.read_bytes()[128:132] != b"DICM"
    np.testing.assert_array_equal(read_volume(tmp_path).data, volume.data)


def test_other_files_are_listed_whatever_they_begin_with(tmp_path):
    write_series(tmp_path / "s", a_volume())
    for name, content in (("empty", b""), ("noise", b"\x08\x00" + bytes(range(256)) * 3), ("text", b"notes")):
        (tmp_path / name).write_bytes(content)
    report = pydicom.dcmread(next((tmp_path / "s").iterdir()))
    del report.Rows, report.PixelData
    report.SOPInstanceUID = report.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    report.save_as(tmp_path / "report.dcm")
    tree = read_tree(tmp_path)
    assert [path.name for path in tree.passed_over] == ["empty", "noise", "report.dcm", "text"]
    assert [one.n_images for one in tree.series] == [7]


def test_copies_other_files_and_localizers_are_passed_over(tmp_path):
    volume = a_volume()
    paths = write_series(tmp_path / "a" / "b", volume)
    shutil.copy(paths[2], tmp_path / "copy of an image")
    (tmp_path / "readme.txt").write_text("no DICOM")
    write_series(tmp_path / "scout", a_volume((4, 4, 2)), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    np.testing.assert_array_equal(read_volume(tmp_path).data, volume.data)


def test_echoes_of_one_series_are_told_apart(tmp_path):
    uid = pydicom.uid.generate_uid()
    for echo in ("0.03", "2.2"):
        write_series(tmp_path / echo, a_volume(), SeriesInstanceUID=uid, EchoTime=echo)
    assert [series.key for series in find_series(tmp_path)] == [f"{uid}#0.03", f"{uid}#2.2"]


def test_a_missing_slice_is_named_with_its_place(tmp_path):
    paths = write_series(tmp_path, a_volume())
    paths[3].unlink()
    assert "1 missing slices (between -17.0 and -14.0 mm)" in refused(tmp_path)


def test_repeated_slices_are_named(tmp_path):
    paths = write_series(tmp_path, a_volume())
    shutil.copy(paths[3], tmp_path / "again")
    edit(tmp_path / "again", SOPInstanceUID=pydicom.uid.generate_uid())
    assert "1 repeated slices" in refused(tmp_path)


def test_uneven_spacing_is_named(tmp_path):
    paths = write_series(tmp_path, a_volume())
    position = pydicom.dcmread(paths[3]).ImagePositionPatient
    edit(paths[3], ImagePositionPatient=[position[0], position[1], float(position[2]) + 0.4])
    assert "uneven slice spacing, 1.10 to 1.90 mm" in refused(tmp_path)


def test_shifted_slices_are_named(tmp_path):
    paths = write_series(tmp_path, a_volume())
    position = pydicom.dcmread(paths[3]).ImagePositionPatient
    edit(paths[3], ImagePositionPatient=[float(position[0]) + 9, position[1], position[2]])
    assert "shifted against each other by up to 9.0 mm" in refused(tmp_path)


def test_localizers_single_slices_and_mixed_orientations_are_named(tmp_path):
    write_series(tmp_path / "l", a_volume(), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    assert "only localizers" in refused(tmp_path / "l")
    paths = write_series(tmp_path / "one", a_volume())
    for path in paths[1:]:
        path.unlink()
    assert "one slice" in refused(tmp_path / "one")
    paths = write_series(tmp_path / "turned", a_volume())
    edit(paths[0], ImageOrientationPatient=[1, 0, 0, 0, 0, -1])
    assert "more than one orientation" in refused(tmp_path / "turned")


def test_several_series_no_images_and_no_positions_are_named(tmp_path):
    write_series(tmp_path / "a", a_volume())
    write_series(tmp_path / "b", a_volume(), "CT")
    assert "2 series in it" in refused(tmp_path)
    (tmp_path / "none").mkdir()
    assert "no DICOM images" in refused(tmp_path / "none")
    paths = write_series(tmp_path / "flat", a_volume())
    dataset = pydicom.dcmread(paths[0])
    del dataset.ImagePositionPatient
    dataset.save_as(paths[0])
    assert "no ImagePositionPatient" in refused(tmp_path / "flat")


def test_colour_is_refused(tmp_path):
    paths = write_series(tmp_path, a_volume())
    edit(paths[0], SamplesPerPixel=3)
    assert "colour" in refused(tmp_path)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless])
def test_a_compressed_syntax_without_decoder_is_refused_by_name(tmp_path, monkeypatch, syntax):
    for path in write_series(tmp_path, a_volume()):
        dataset = pydicom.dcmread(path)
        dataset.PixelData = encapsulate([b"\xff\x4f" * 40])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.save_as(path)
    monkeypatch.setattr(pydicom.pixels.decoders.base.Decoder, "is_available", property(lambda self: False))
    message = refused(tmp_path)
    assert syntax.name in message
    assert "no decoder" in message


def test_a_compressed_series_with_a_decoder_is_read(tmp_path):
    volume = a_volume()
    for path in write_series(tmp_path, volume):
        dataset = pydicom.dcmread(path)
        dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.save_as(path)
    np.testing.assert_array_equal(read_volume(tmp_path).data, volume.data)


@pytest.mark.parametrize("kept", [0.2, 0.6, 0.97])
def test_truncated_files_are_refused(tmp_path, kept):
    path = write_series(tmp_path, a_volume((16, 16, 4)))[1]
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    refused(tmp_path)


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("NumberOfFrames", b"many"),
        ("NumberOfFrames", b"-3"),
        ("NumberOfFrames", b"2.5 "),
        ("ImagePositionPatient", b"a\\b\\c "),
        ("ImageOrientationPatient", b"1\\0\\0\\0\\nan\\0 "),
        ("PixelSpacing", b"1 mm\\1 mm "),
        ("RescaleSlope", b"x "),
        ("RescaleIntercept", b"inf "),
    ],
)
def test_a_header_value_that_is_no_number_is_named_with_its_file(tmp_path, keyword, text, recwarn):
    path = write_series(tmp_path, a_volume(), "CT")[2]
    spoil(path, keyword, text)
    assert f"{path}: {keyword} in its header is " in refused(tmp_path)
    assert not recwarn.list  # the one line is enough


def test_a_header_without_columns_is_named(tmp_path):
    path = write_series(tmp_path, a_volume())[2]
    dataset = pydicom.dcmread(path)
    del dataset.Columns
    dataset.save_as(path)
    assert f"{path}: its header has no Columns" in refused(tmp_path)


def test_values_that_only_describe_may_be_malformed(tmp_path, recwarn):
    volume = a_volume()
    for path in write_series(tmp_path, volume, SpecificCharacterSet="ISO_IR 999"):
        for keyword, text in (("EchoTime", b"abc "), ("SeriesNumber", b"3.5 "), ("SliceThickness", b"1.0 mm")):
            spoil(path, keyword, text)
    recwarn.clear()
    np.testing.assert_array_equal(read_volume(tmp_path).data, volume.data)
    assert not recwarn.list


@pytest.mark.parametrize(("frames", "groups"), [(7, 5), (5, 7)])
def test_a_multi_frame_file_describes_as_many_frames_as_it_holds(tmp_path, frames, groups):
    dataset = pydicom.dcmread(path := write_enhanced(tmp_path / "e.dcm", a_volume()))
    dataset.NumberOfFrames = frames
    dataset.PerFrameFunctionalGroupsSequence = list(dataset.PerFrameFunctionalGroupsSequence)[:groups]
    dataset.PixelData = dataset.PixelData[: frames * 60]
    dataset.save_as(path)
    assert f"{frames} frames, but {groups} described" in refused(tmp_path)

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK

from sct.core.errors import SctError
from sct.core.volume import Volume
from sct.io.volumes import VOLUME_SUFFIXES, read_volume, write_volume

WRITABLE = [suffix for suffix in VOLUME_SUFFIXES if suffix != ".mhd"]


def oblique_volume(dtype=np.int16):
    """7 x 6 x 5 voxels of unlike sizes, rotated about two axes."""
    a, b = np.deg2rad([20, -35])
    rotation = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]]) @ np.array(
        [[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]]
    )
    affine = np.eye(4)
    affine[:3, :3] = rotation * [0.5, 1.25, 3.0]
    affine[:3, 3] = [-40.0, 25.5, 310.0]
    data = np.random.default_rng(0).integers(-1000, 2000, (7, 6, 5)).astype(dtype)
    return Volume(data, affine)


@pytest.fixture
def one_line():
    """Runs a read that must fail with one line that names the file, and gives that line."""

    def check(path: Path) -> str:
        with pytest.raises(SctError) as caught:
            read_volume(path)
        message = str(caught.value)
        assert str(path) in message
        assert "\n" not in message
        return message

    return check


@pytest.mark.parametrize("suffix", WRITABLE)
@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.float32, np.float64])
def test_reading_undoes_writing(tmp_path, suffix, dtype):
    volume = oblique_volume(np.int16)
    volume = Volume((volume.data % 200).astype(dtype), volume.affine)
    path = tmp_path / f"v{suffix}"
    write_volume(volume, path)
    back = read_volume(path)
    assert back.data.dtype == np.float32
    np.testing.assert_array_equal(back.data, volume.data)
    np.testing.assert_allclose(back.affine, volume.affine, atol=1e-4)  # NIfTI keeps float32
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", WRITABLE)
def test_world_position_of_a_voxel_agrees_with_simpleitk(tmp_path, suffix):
    volume = oblique_volume()
    write_volume(volume, tmp_path / f"v{suffix}")
    image = SimpleITK.ReadImage(str(tmp_path / f"v{suffix}"))
    lps = np.array(image.TransformIndexToPhysicalPoint((3, 1, 4)))
    ras = volume.affine @ [3, 1, 4, 1]
    np.testing.assert_allclose(lps * [-1, -1, 1], ras[:3], atol=1e-3)
    assert image[3, 1, 4] == volume.data[3, 1, 4]
    assert image.GetPixelID() == SimpleITK.sitkInt16


def test_nifti_and_metaimage_agree_on_the_world(tmp_path):
    write_volume(oblique_volume(), tmp_path / "v.nii.gz")
    SimpleITK.WriteImage(SimpleITK.ReadImage(str(tmp_path / "v.nii.gz")), str(tmp_path / "v.mhd"))
    nifti, meta = read_volume(tmp_path / "v.nii.gz"), read_volume(tmp_path / "v.mhd")
    np.testing.assert_allclose(nifti.affine, meta.affine, atol=1e-4)
    np.testing.assert_array_equal(nifti.data, meta.data)


def test_nifti_slope_intercept_and_units(tmp_path):
    image = nibabel.Nifti1Image(np.arange(60, dtype=np.int16).reshape(3, 4, 5), np.diag([0.001, 0.002, 0.003, 1]))
    image.header.set_slope_inter(2.0, -1024.0)
    image.header.set_xyzt_units("meter")
    nibabel.save(image, tmp_path / "v.nii")
    stored = np.asarray(nibabel.load(tmp_path / "v.nii").dataobj.get_unscaled())
    back = read_volume(tmp_path / "v.nii")
    np.testing.assert_allclose(back.data, stored * 2.0 - 1024.0)
    np.testing.assert_allclose(back.spacing_mm, [1, 2, 3], rtol=1e-5)


def test_nifti2_is_read(tmp_path):
    volume = oblique_volume()
    nibabel.save(nibabel.Nifti2Image(volume.data, volume.affine), tmp_path / "v.nii.gz")
    np.testing.assert_array_equal(read_volume(tmp_path / "v.nii.gz").data, volume.data)


def test_a_sheared_affine_survives(tmp_path):
    affine = np.eye(4)
    affine[0, 1] = 0.3
    write_volume(Volume(np.zeros((3, 4, 5), np.float32), affine), tmp_path / "v.nii")
    np.testing.assert_allclose(read_volume(tmp_path / "v.nii").affine, affine, atol=1e-6)


@pytest.mark.parametrize("name", ["V.MHA", "v.Mha", "V.NRRD", "V.NII", "V.NII.GZ"])
def test_a_suffix_in_capitals_is_written_as_one_file_and_read(tmp_path, name):
    data = np.random.default_rng(0).integers(-1000, 2000, (4, 5, 6)).astype(np.int16)
    write_volume(Volume(data, np.eye(4)), tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    np.testing.assert_array_equal(read_volume(tmp_path / name).data, data)


def test_trailing_axis_of_one_is_dropped(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.ones((3, 4, 5, 1), np.int16), np.eye(4)), tmp_path / "v.nii")
    assert read_volume(tmp_path / "v.nii").shape == (3, 4, 5)


def test_masks_are_written_as_bytes(tmp_path):
    write_volume(Volume(np.eye(3, dtype=bool)[..., None].repeat(2, 2), np.eye(4)), tmp_path / "m.nii.gz")
    assert nibabel.load(tmp_path / "m.nii.gz").get_data_dtype() == np.uint8


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 6, 2)])
def test_other_than_three_dimensions_is_refused(tmp_path, one_line, shape):
    path = tmp_path / "v.nii"
    nibabel.save(nibabel.Nifti1Image(np.ones(shape, np.float32), np.eye(4)), path)
    assert "-D image" in one_line(path)


def test_other_than_three_dimensions_is_refused_in_metaimage(tmp_path, one_line):
    path = tmp_path / "v.mha"
    SimpleITK.WriteImage(SimpleITK.Image(4, 5, SimpleITK.sitkInt16), str(path))
    assert "2-D" in one_line(path)
    SimpleITK.WriteImage(SimpleITK.Image([4, 5, 6, 2], SimpleITK.sitkInt16), str(path))
    assert "4-D" in one_line(path)
    SimpleITK.WriteImage(SimpleITK.Image([4, 5, 6], SimpleITK.sitkVectorFloat32, 3), str(path))
    assert "3 values per voxel" in one_line(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_non_finite_voxels_are_refused(tmp_path, one_line, value):
    data = np.zeros((3, 4, 5))
    data[1, 1, 1] = value
    nibabel.save(nibabel.Nifti1Image(data, np.eye(4)), tmp_path / "v.nii.gz")
    assert "1 of 60 voxels" in one_line(tmp_path / "v.nii.gz")


def test_colour_and_complex_voxels_are_refused(tmp_path, one_line):
    rgb = np.zeros((3, 4, 5), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    nibabel.save(nibabel.Nifti1Image(rgb, np.eye(4)), tmp_path / "rgb.nii")
    assert "not real numbers" in one_line(tmp_path / "rgb.nii")
    nibabel.save(nibabel.Nifti1Image(np.zeros((3, 4, 5), np.complex64), np.eye(4)), tmp_path / "c.nii")
    assert "not real numbers" in one_line(tmp_path / "c.nii")


@pytest.mark.parametrize("suffix", WRITABLE)
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5, 0.95, 0.999])
def test_truncated_files_are_refused(tmp_path, one_line, suffix, kept):
    path = tmp_path / f"v{suffix}"
    data = np.random.default_rng(0).integers(-1000, 2000, (20, 21, 22)).astype(np.int16)
    write_volume(Volume(data, np.eye(4)), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    one_line(path)


def test_a_header_that_ends_early_is_refused_at_any_length(tmp_path, one_line):
    write_volume(Volume(np.zeros((3, 4, 5), np.int16), np.eye(4)), tmp_path / "whole.nii")
    content = (tmp_path / "whole.nii").read_bytes()
    for n_bytes in (1, 3, 4, 100, 347, 348, 351, 352):
        (tmp_path / "v.nii").write_bytes(content[:n_bytes])
        one_line(tmp_path / "v.nii")
    (tmp_path / "v.nii.gz").write_bytes(gzip.compress(b""))
    one_line(tmp_path / "v.nii.gz")


@pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
def test_truncated_raw_files_are_refused(tmp_path, one_line, suffix):
    path = tmp_path / f"v{suffix}"
    SimpleITK.WriteImage(SimpleITK.Image([20, 21, 22], SimpleITK.sitkInt16), str(path), useCompression=False)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    one_line(path)


def test_a_flipped_bit_in_gzip_is_found(tmp_path, one_line):
    path = tmp_path / "v.nii.gz"
    write_volume(oblique_volume(), path)
    plain = gzip.decompress(path.read_bytes())
    content = bytearray(gzip.compress(plain, compresslevel=0))  # stored: only the checksum can tell
    content[400] ^= 1
    path.write_bytes(content)
    one_line(path)


@pytest.mark.parametrize("suffix", VOLUME_SUFFIXES)
def test_garbage_and_missing_files_are_refused(tmp_path, one_line, suffix):
    path = tmp_path / f"v{suffix}"
    assert "no such file" in one_line(path)
    path.write_bytes(b"")
    assert "empty" in one_line(path)
    path.write_bytes(b"this is no image" * 100)
    one_line(path)


def test_a_detached_header_without_its_data_is_refused(tmp_path, one_line):
    SimpleITK.WriteImage(SimpleITK.Image([4, 5, 6], SimpleITK.sitkInt16), str(tmp_path / "v.mhd"))
    (tmp_path / "v.raw").unlink()
    one_line(tmp_path / "v.mhd")


@pytest.mark.parametrize(
    "affine", [np.diag([1.0, 0, 1, 1]), np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])]
)
def test_non_invertible_affines_are_refused(tmp_path, one_line, affine):
    image = nibabel.Nifti1Image(np.ones((3, 4, 5), np.float32), np.eye(4))
    image.header["sform_code"] = 1
    image.header["srow_x"], image.header["srow_y"], image.header["srow_z"] = affine[:3]
    nibabel.save(image, tmp_path / "v.nii")
    raw = bytearray((tmp_path / "v.nii").read_bytes())
    raw[280:328] = affine[:3].astype("<f4").tobytes()
    (tmp_path / "v.nii").write_bytes(raw)
    assert "affine" in one_line(tmp_path / "v.nii")


def test_nan_in_the_affine_is_refused(tmp_path, one_line):
    path = tmp_path / "v.nii"
    write_volume(oblique_volume(), path)
    raw = bytearray(path.read_bytes())
    raw[280:284] = np.float32(np.nan).tobytes()
    path.write_bytes(raw)
    assert "affine" in one_line(path)


def test_unknown_suffixes_and_two_file_writing_are_refused(tmp_path):
    (tmp_path / "v.npy").write_bytes(b"x")
    with pytest.raises(SctError, match=r"\.nii\.gz"):
        read_volume(tmp_path / "v.npy")
    with pytest.raises(SctError, match=r"use \.mha"):
        write_volume(oblique_volume(), tmp_path / "v.mhd")
    assert not (tmp_path / "v.mhd").exists()


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "v.nii.gz"
    write_volume(oblique_volume(), path)
    before = path.read_bytes()

    def full_disk(image, target):
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(nibabel, "save", full_disk)
    with pytest.raises(SctError, match="No space left"):
        write_volume(oblique_volume(), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["v.nii.gz"]


def test_a_nifti_without_orientation_is_refused_rather_than_guessed(tmp_path):
    path = tmp_path / "ct.nii.gz"
    image = nibabel.Nifti1Image(np.ones((4, 4, 4), np.float32), None)
    image.header.set_sform(None, 0)
    image.header.set_qform(None, 0)
    nibabel.save(image, path)
    with pytest.raises(SctError, match="no orientation"):
        read_volume(path)

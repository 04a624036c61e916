import json
import subprocess
import sys

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from benchmarks.registration_picture import checkerboard, write_registration_picture
from sct.core.errors import SctError
from sct.core.volume import Volume
from sct.geometry.affine_fit import apply_affine
from sct.geometry.mutual_information import register_by_mutual_information
from sct.geometry.registration import moved, register
from sct.geometry.resample import resample

SPACING_MM = 3.0


def head():
    """MR and CT of a lopsided egg with a skull, two eyes and a nose: no symmetry that a fit could fall for.

    Painted twice as fine as sampled, for partial volumes, and with noise: sharp-edged, noiseless images mislead mutual
    information.
    """
    fine_shape = (80, 96, 84)
    fine = np.diag([SPACING_MM / 2] * 3 + [1.0])
    fine[:3, 3] = [-SPACING_MM / 2 * (n - 1) / 2 for n in fine_shape]
    x, y, z = apply_affine(fine, np.indices(fine_shape).reshape(3, -1).T).T.reshape(3, *fine_shape)
    radius = np.sqrt((x / 46) ** 2 + ((y + 0.12 * x) / 58) ** 2 + ((z - 0.1 * y) / 50) ** 2)
    nose = np.sqrt((x / 9) ** 2 + ((y - 58) / 10) ** 2 + ((z + 8) / 14) ** 2) < 1
    hu = np.where((radius < 1) | nose, 40.0, -1000.0)
    mr = np.where((radius < 1) | nose, 800.0, 20.0)
    for mask, hu_value, mr_value in [
        ((radius < 0.93) & (radius > 0.82), 1100, 150),
        (np.hypot(np.hypot(x - 22, y - 36), z + 4) < 11, 10, 300),
        (np.hypot(np.hypot(x + 24, y - 34), z + 6) < 10, 10, 300),
        (np.hypot(np.hypot(x, y - 33), (z + 26) * 0.8) < 12, -950, 30),
        (np.hypot(x - 8, z - 12) < 8, 20, 500),
    ]:
        hu[mask], mr[mask] = hu_value, mr_value
    rng = np.random.default_rng(0)
    affine = fine @ np.array([[2, 0, 0, 0.5], [0, 2, 0, 0.5], [0, 0, 2, 0.5], [0, 0, 0, 1]])
    volumes = []
    for data in (mr, hu):
        mixed = data.reshape(40, 2, 48, 2, 42, 2).mean(axis=(1, 3, 5))
        volumes.append(Volume((mixed + rng.normal(scale=30, size=mixed.shape)).astype(np.float32), affine))
    return volumes[0], volumes[1]


def displacement(angles_deg, shift_mm, scale=1.0):
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", angles_deg, degrees=True).as_matrix() * scale
    matrix[:3, 3] = shift_mm
    return matrix


def error_mm(found, true):
    """Target registration error over points of the head, which is centred in both worlds."""
    points = np.random.default_rng(0).uniform(-45, 45, (200, 3))
    return np.linalg.norm(apply_affine(found, points) - apply_affine(true, points), axis=1)


def write_landmarks(path, true, n=12, error=0.0, seed=0):
    rng = np.random.default_rng(seed)
    mr = rng.uniform(-70, 70, (n, 3))
    ct = apply_affine(true, mr) + rng.normal(scale=error, size=(n, 3)) if error else apply_affine(true, mr)
    lines = ["name\tmr_x\tmr_y\tmr_z\tct_x\tct_y\tct_z"]
    lines += ["\t".join([f"point {i}", *(repr(float(v)) for v in (*mr[i], *ct[i]))]) for i in range(n)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_none_leaves_the_worlds_as_they_are():
    registration = register(*head(), "none")
    np.testing.assert_array_equal(registration.matrix, np.eye(4))
    assert registration.report == {"method": "none"}


def test_landmarks_give_the_known_affine_and_their_errors(tmp_path):
    mr, ct = head()
    true = displacement((5, -8, 3), (10, 4, -6), 1.02)
    exact = register(mr, ct, "landmarks", write_landmarks(tmp_path / "l.tsv", true))
    np.testing.assert_allclose(exact.matrix, true, atol=1e-9)
    assert exact.warnings == []
    blurred = register(mr, ct, "landmarks", write_landmarks(tmp_path / "l.tsv", true, error=0.6))
    report = json.loads(json.dumps(blurred.report, allow_nan=False))
    assert len(report["landmarks"]) == report["n_landmarks"] == 12
    residuals = [row["residual_mm"] for row in report["landmarks"]]
    assert report["rms_mm"] == pytest.approx(np.sqrt(np.mean(np.square(residuals))), abs=1e-3)
    assert report["leave_one_out_rms_mm"] > report["rms_mm"] > 0
    assert np.median(error_mm(blurred.matrix, true)) < 1


def test_a_misplaced_landmark_and_a_stretched_head_are_warned_of(tmp_path):
    mr, ct = head()
    path = write_landmarks(tmp_path / "l.tsv", displacement((0, 0, 0), (0, 0, 0)), error=0.3)
    lines = path.read_text().splitlines()
    cells = lines[6].split("\t")
    cells[4] = repr(float(cells[4]) + 20)
    lines[6] = "\t".join(cells)
    path.write_text("\n".join(lines))
    blamed = [
        warning for warning in register(mr, ct, "landmarks", path).warnings if "where the others put it" in warning
    ]
    assert [warning.split("'")[1] for warning in blamed] == ["point 5"]
    path.write_text("\n".join([lines[0], *lines[2:7]]))  # of five points it could be any
    assert any("none stands out; check them all" in one for one in register(mr, ct, "landmarks", path).warnings)
    wide = write_landmarks(tmp_path / "w.tsv", displacement((0, 0, 0), (0, 0, 0), 1.3))
    assert any("stretches" in warning for warning in register(mr, ct, "landmarks", wide).warnings)
    four = write_landmarks(tmp_path / "f.tsv", np.eye(4), n=4)
    registration = register(mr, ct, "landmarks", four)
    assert registration.report["leave_one_out_rms_mm"] is None
    assert any("nothing to check" in warning for warning in registration.warnings)


def test_moving_changes_the_place_and_not_the_voxels():
    mr, ct = head()
    true = displacement((5, 0, 0), (1, 2, 3))
    registration = register(mr, ct, "none")
    np.testing.assert_array_equal(moved(mr, registration).affine, mr.affine)
    elsewhere = moved(mr, type(registration)(true, {}))
    np.testing.assert_allclose(elsewhere.affine, true @ mr.affine)
    assert elsewhere.data is mr.data


@pytest.mark.parametrize(
    ("angles", "shift", "scale"),
    [((6, -4, 5), (9, -8, 7), 1.0), ((-7, 3, 6), (-10, 6, -5), 1.02)],
)
def test_mutual_information_finds_a_known_displacement(angles, shift, scale):
    mr, ct = head()
    true = displacement(angles, shift, scale)
    there = Volume(mr.data, np.linalg.inv(true) @ mr.affine)
    values, _ = resample(there, mr.shape, mr.affine, fill=20.0)  # interpolated, and cut by the field of view
    registration = register(Volume(values, mr.affine), ct, "mutual_information")
    error = error_mm(registration.matrix, true)
    assert np.median(error) < 1.0  # a third of a voxel
    assert error.max() < 2.5
    assert registration.warnings == []
    json.dumps(registration.report, allow_nan=False)
    assert registration.report["mutual_information_end"] >= registration.report["mutual_information_start"] - 0.02


def test_mutual_information_finds_heads_whose_worlds_have_nothing_in_common():
    mr, ct = head()
    true = displacement((4, 4, -4), (400, -300, 900))
    there = Volume(mr.data, np.linalg.inv(true) @ mr.affine)
    found = register_by_mutual_information(there, ct)
    points = apply_affine(np.linalg.inv(true), np.random.default_rng(0).uniform(-45, 45, (100, 3)))
    error = np.linalg.norm(apply_affine(found.matrix, points) - apply_affine(true, points), axis=1)
    assert np.median(error) < 1.0
    assert found.start == "centres"


def test_mutual_information_starts_from_landmarks_where_there_are_any(tmp_path):
    mr, ct = head()
    true = displacement((40, 10, -20), (10, 20, -10), 1.03)  # beyond what it finds alone
    there = Volume(mr.data, np.linalg.inv(true) @ mr.affine)
    path = tmp_path / "landmarks.tsv"
    write_landmarks(path, true, error=1.0)
    registration = register(there, ct, "mutual_information", path)
    assert registration.report["start"] == "landmarks"
    assert registration.report["start_landmarks"]["n_landmarks"] == 12
    points = apply_affine(np.linalg.inv(true), np.random.default_rng(0).uniform(-45, 45, (100, 3)))
    error = np.linalg.norm(apply_affine(registration.matrix, points) - apply_affine(true, points), axis=1)
    assert np.median(error) < 1.0


def test_mutual_information_leaves_what_fits_in_its_place_and_gives_the_same_bits_twice():
    mr, ct = head()
    first, second = (register_by_mutual_information(mr, ct) for _ in range(2))
    assert np.median(error_mm(first.matrix, np.eye(4))) < 1.0
    np.testing.assert_array_equal(first.matrix, second.matrix)


def test_mistakes_are_named(tmp_path):
    mr, ct = head()
    with pytest.raises(SctError, match="one of none, landmarks, mutual_information"):
        register(mr, ct, "rigid")
    with pytest.raises(SctError, match=r"no landmarks\.tsv"):
        register(mr, ct, "landmarks")
    with pytest.raises(SctError, match=r"l\.tsv: the fit mirrors"):
        register(mr, ct, "landmarks", write_landmarks(tmp_path / "l.tsv", np.diag([-1.0, 1, 1, 1])))


def test_checkerboard_alternates():
    a, b = np.zeros((4, 6), np.float32), np.ones((4, 6), np.float32)
    np.testing.assert_array_equal(checkerboard(a, b, 2)[0], [0, 0, 1, 1, 0, 0])
    np.testing.assert_array_equal(checkerboard(a, b, 2)[:, 0], [0, 0, 1, 1])


def test_the_picture_is_written_and_tells_registrations_apart(tmp_path):
    mr, ct = head()
    write_registration_picture(mr, ct, np.eye(4), tmp_path / "a.png", "a, rms 0.5 mm")
    write_registration_picture(mr, ct, displacement((10, 0, 0), (20, 0, 0)), tmp_path / "b.png", "a, rms 0.5 mm")
    assert (tmp_path / "a.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()


def test_heavy_libraries_are_not_imported_before_they_are_used():
    heavy = "[m for m in ('matplotlib', 'SimpleITK') if m in sys.modules]"
    code = f"import sys, sct.geometry.registration; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

from dataclasses import replace

import numpy as np
import pytest
from nibabel.affines import apply_affine
from small_pairs import SPACING_MM, grid, head_hu, head_mr, save, world

from sct.core.errors import SctError
from sct.core.files import write_text
from sct.preparation.pair import load_pair, signal_level
from sct.preparation.settings import PrepareSettings

SETTINGS = PrepareSettings(size_px=16, spacing_mm=SPACING_MM)


def linear(position_mm):
    """A field that trilinear interpolation gives back exactly."""
    x, y, z = position_mm
    return 200 + 0.7 * x - 0.4 * y + 0.3 * z


def oblique(shape, spacing_mm, degrees=12.0):
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
    affine = np.eye(4)
    # a file in left-posterior-superior order with unequal voxels
    affine[:3, :3] = turn @ np.diag([-1.0, -1.0, 1.0]) @ np.diag(spacing_mm)
    affine[:3, 3] = -affine[:3, :3] @ ((np.asarray(shape) - 1) / 2)
    return affine


def test_mr_goes_to_its_place_in_the_cts_world_whatever_its_grid(make_participant):
    shape = (20, 30, 22)
    affine = oblique(shape, (3.5, 3.9, 4.0))
    participant = make_participant(mr_shape=shape, mr_affine=affine, mr=linear(world(shape, affine)))
    pair = load_pair(participant, SETTINGS)
    positions = world(pair.mr.shape, pair.affine)
    voxels = apply_affine(np.linalg.inv(affine), np.moveaxis(positions, 0, -1))
    well_inside = np.all((voxels > 0.01) & (voxels < np.asarray(shape) - 1.01), axis=-1)
    assert well_inside.sum() > 5000
    np.testing.assert_allclose(pair.mr[well_inside], linear(positions)[well_inside], rtol=1e-5)
    assert pair.field_of_view[well_inside].all()
    outside = np.any((voxels < -0.51) | (voxels > np.asarray(shape) - 0.49), axis=-1)
    assert outside.any()
    assert not pair.field_of_view[outside].any()
    assert np.all(pair.mr[outside] == np.float32(pair.mr_range[0]))


def test_an_oblique_anisotropic_ct_is_read_into_cubic_voxels_in_ras_order(make_participant):
    participant = make_participant()
    shape = (30, 26, 24)
    affine = oblique(shape, (3.0, 4.0, 4.5))
    save(linear(world(shape, affine)) - 350, affine, participant.ct)
    pair = load_pair(participant, SETTINGS)
    columns = pair.affine[:3, :3]
    np.testing.assert_allclose(columns.T @ columns, SPACING_MM**2 * np.eye(3), atol=1e-6)
    assert np.all(np.diag(columns) > 0)
    inner = (slice(3, -3),) * 3
    np.testing.assert_allclose(pair.ct_hu[inner], linear(world(pair.ct_hu.shape, pair.affine))[inner] - 350, atol=0.05)


def test_the_range_is_that_of_the_whole_volume_before_resampling(make_participant):
    participant = make_participant()
    values = head_mr(world((24, 28, 26), grid((24, 28, 26), SPACING_MM)))
    values[0, 0, 0], values[-1, -1, -1] = -70, 999
    save(values, grid(values.shape, SPACING_MM), participant.mr)
    assert load_pair(participant, SETTINGS).mr_range == (-70.0, 999.0)
    percentile = PrepareSettings(size_px=16, spacing_mm=8.0, mr_scaling="percentile", mr_percentiles=(1, 98))
    assert load_pair(participant, percentile).mr_range == pytest.approx(np.percentile(values, (1, 98)), rel=1e-5)


def test_padding_below_air_is_not_smeared_into_tissue(make_participant):
    shape, affine = (24, 28, 26), grid((24, 28, 26), SPACING_MM)
    hu = head_hu(world(shape, affine))
    hu[:3] = -8192
    pair = load_pair(make_participant(ct=hu), SETTINGS)
    assert pair.ct_hu.min() == -1024


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mr": 3.0}, r"mr\.nii\.gz: constant volume \(every voxel is 3\)"),
        ({"ct": -1000.0}, r"ct\.nii\.gz: constant volume"),
        ({"ct": np.linspace(0, 3000, 26)}, r"ct\.nii\.gz: not in Hounsfield units: values from 0 to 3000"),
        ({"ct": np.linspace(-0.5, 1, 26)}, r"ct\.nii\.gz: not in Hounsfield units"),
        ({"ct": np.linspace(-1000, 2e6, 26)}, r"ct\.nii\.gz: not in Hounsfield units"),
        ({"ct": np.linspace(-1000, -700, 26)}, r"ct\.nii\.gz: shows no tissue"),
        (
            {"ct": np.linspace(0, 500, 26), "mr": np.linspace(-1000, 2000, 26)},
            r"mr\.nii\.gz: MR and CT look swapped.*ct\.nii\.gz",
        ),
        (
            {"ct": np.linspace(-1000, 2000, 26), "mr": np.linspace(-1000, 2000, 26)},
            r"mr\.nii\.gz: the same volume as ct\.nii\.gz",
        ),
        (
            {"mr_affine": grid((24, 28, 26), SPACING_MM, (900.0, 0.0, 0.0))},
            r"mr\.nii\.gz: does not overlap with ct\.nii\.gz in space: MR spans R 854\.\.946",
        ),
    ],
)
def test_bad_pairs_are_named_with_what_is_wrong(make_participant, changes, message):
    with pytest.raises(SctError, match=message) as caught:
        load_pair(make_participant(**changes), SETTINGS)
    assert "\n" not in str(caught.value)


def test_signal_begins_between_noise_and_the_darkest_tissue():
    rng = np.random.default_rng(0)
    mr = rng.rayleigh(10, (40, 40, 40))
    mr[8:32, 8:32, 8:32] = rng.normal(300, 20, (24, 24, 24))
    mr[8:32, 8:32, 8:14] *= 0.4  # far from the coil
    mr[20, 20, 20] = 1e5  # a vessel
    assert np.percentile(mr[:8], 99) < signal_level(mr) < 100
    assert signal_level(mr + 500) == pytest.approx(signal_level(mr) + 500, rel=1e-3)


def test_percentiles_of_a_nearly_empty_mr_are_refused(make_participant):
    mr = np.zeros((24, 28, 26))
    mr[12, 14, 13] = 5
    with pytest.raises(SctError, match=r"mr\.nii\.gz: percentiles"):
        load_pair(make_participant(mr=mr), PrepareSettings(size_px=16, mr_scaling="percentile"))


def test_a_mask_file_is_required_when_asked_for(make_participant):
    with pytest.raises(SctError, match=r"no mask file, which prepare\.mask=file asks for"):
        load_pair(make_participant(), PrepareSettings(size_px=16, spacing_mm=SPACING_MM, mask="file"))


def test_landmarks_bring_a_displaced_mr_back(make_participant):
    shape, affine = (24, 28, 26), grid((24, 28, 26), SPACING_MM)
    true = np.eye(4)  # MR world -> CT world
    true[:3, :3] = oblique((2, 2, 2), (1.0, 1.0, 1.0), 7.0)[:3, :3] @ np.diag([-1.0, -1.0, 1.0])
    true[:3, 3] = (6, -5, 3)
    displaced = make_participant(mr=head_mr(world(shape, affine)), mr_affine=np.linalg.inv(true) @ affine)
    lines = ["name\tmr_x\tmr_y\tmr_z\tct_x\tct_y\tct_z"]
    for i, ct_mm in enumerate(np.random.default_rng(0).uniform(-40, 40, (8, 3))):
        mr_mm = apply_affine(np.linalg.inv(true), ct_mm)
        lines.append("\t".join([f"l{i}", *(f"{value:.6f}" for value in (*mr_mm, *ct_mm))]))
    landmarks = displaced.mr.parent / "landmarks.tsv"
    write_text(landmarks, "\n".join(lines) + "\n")
    settings = PrepareSettings(size_px=16, spacing_mm=SPACING_MM, registration="landmarks")
    pair = load_pair(replace(displaced, landmarks=landmarks), settings)
    assert pair.registration is not None
    np.testing.assert_allclose(pair.registration["matrix"], true, atol=1e-4)
    np.testing.assert_allclose(pair.mr, head_mr(world(shape, affine)), atol=0.1)

from dataclasses import fields, replace

import pytest
from hydra import compose, initialize_config_dir

from sct._door import config_folder, register_resolvers
from sct.cohorts.cohort import Participant
from sct.core.errors import SctError
from sct.core.gray import Window
from sct.preparation import settings as settings_module
from sct.preparation.fingerprint import fingerprint_of
from sct.preparation.settings import PrepareSettings

SETTINGS = PrepareSettings()


@pytest.fixture
def participant(tmp_path):
    for name in ("mr.nii.gz", "ct.nii.gz", "mask.nii.gz", "landmarks.tsv"):
        (tmp_path / name).write_text(name)
    return Participant(
        "p", tmp_path / "mr.nii.gz", tmp_path / "ct.nii.gz", tmp_path / "mask.nii.gz", tmp_path / "landmarks.tsv"
    )


def changes_with(path, participant, settings=SETTINGS):
    before = fingerprint_of(participant, settings)
    path.write_bytes(path.read_bytes() + b"!")
    return fingerprint_of(participant, settings) != before


def test_it_follows_the_files_that_are_used(participant):
    assert changes_with(participant.mr, participant)
    assert changes_with(participant.ct, participant)
    assert not changes_with(participant.mask, participant)
    assert not changes_with(participant.landmarks, participant)
    assert changes_with(participant.mask, participant, replace(SETTINGS, mask="file"))
    assert changes_with(participant.landmarks, participant, replace(SETTINGS, registration="landmarks"))


OTHER = {
    "size_px": 96,
    "spacing_mm": 2.0,
    "frame": "patch",
    "window": Window(400, 2000),
    "mask": "file",
    "mask_clip_hu": (-900.0, 200.0),
    "min_mask_mm2": 500.0,
    "min_mr_share": 0.1,
    "mr_scaling": "percentile",
    "mr_percentiles": (1.0, 99.0),
    "mr_scaling_unit": "slice",
    "registration": "landmarks",
}
"""Another value for each setting; `patch_overlap` counts with frame=patch only."""
NO_SETTING = {"store", "jobs", "on_error"}
"""Keys of `prepare` that decide where, how fast and for whom."""


def test_it_follows_every_setting(participant):
    patches = replace(SETTINGS, frame="patch")
    assert OTHER.keys() == {item.name for item in fields(PrepareSettings)} - {"patch_overlap"}
    variants = [SETTINGS, *(replace(SETTINGS, **{name: value}) for name, value in OTHER.items())]
    variants += [replace(patches, patch_overlap=0.5), replace(SETTINGS, window=Window(500, 3000))]
    assert len({fingerprint_of(participant, one) for one in variants}) == len(variants)


def test_every_key_of_the_configuration_is_a_setting_or_decides_no_slice():
    register_resolvers()
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        keys = set(compose("prepare").prepare)
    assert keys == {item.name for item in fields(PrepareSettings)} | NO_SETTING


def test_another_version_of_the_preparation_makes_it_again(participant, monkeypatch):
    before = fingerprint_of(participant, SETTINGS)
    monkeypatch.setattr(settings_module, "PREPARATION_VERSION", settings_module.PREPARATION_VERSION + 1)
    assert fingerprint_of(participant, SETTINGS) != before


def test_it_is_the_same_elsewhere_and_for_other_columns(participant, tmp_path):
    elsewhere = tmp_path / "copy"
    elsewhere.mkdir()
    for name in ("mr.nii.gz", "ct.nii.gz"):
        (elsewhere / name).write_bytes((tmp_path / name).read_bytes())
    copy = Participant("q", elsewhere / "mr.nii.gz", elsewhere / "ct.nii.gz", columns={"age": "3"})
    assert fingerprint_of(copy, SETTINGS) == fingerprint_of(participant, SETTINGS)


@pytest.mark.parametrize(
    ("name", "header", "data"),
    [
        ("mr.mhd", "NDims = 3\nElementDataFile = mr.raw\n", "mr.raw"),
        ("mr.nrrd", "NRRD0004\ntype: float\ndata file: voxels.raw\n\n", "voxels.raw"),
    ],
)
def test_a_headers_data_file_counts(participant, tmp_path, name, header, data):
    (tmp_path / name).write_text(header)
    (tmp_path / data).write_text("voxels")
    assert changes_with(tmp_path / data, replace(participant, mr=tmp_path / name))


def test_a_dicom_folders_files_count(participant, tmp_path):
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "1.dcm").write_text("slice")
    assert changes_with(tmp_path / "series" / "1.dcm", replace(participant, ct=tmp_path / "series"))


def test_a_missing_file_is_named(participant):
    participant.ct.unlink()
    with pytest.raises(SctError, match=r"ct\.nii\.gz"):
        fingerprint_of(participant, SETTINGS)

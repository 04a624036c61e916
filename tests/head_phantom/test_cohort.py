import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from sct.core.errors import SctError
from sct.head_phantom import cohort
from sct.head_phantom.cohort import write_phantom_cohort
from sct.head_phantom.participant import make_participant
from sct.head_phantom.presets import COLUMNS
from sct.head_phantom.settings import PHANTOM_VERSION, PhantomSettings
from sct.io.volumes import read_volume

SMALL = PhantomSettings(2, 8.0, 0)


@pytest.fixture
def made(monkeypatch):
    """Indices of the participants that were made."""
    indices = []

    def record(settings, index):
        indices.append(index)
        return make_participant(settings, index)

    monkeypatch.setattr(cohort, "make_participant", record)
    return indices


def test_a_cohort_is_written_in_the_layout_of_real_ones(tmp_path):
    write_phantom_cohort(tmp_path, SMALL, 1)
    header, *rows = [line.split("\t") for line in (tmp_path / "participants.tsv").read_text().splitlines()]
    assert header == ["participant_id", *COLUMNS]
    assert [row[0] for row in rows] == ["sub-01", "sub-02"]
    assert (
        json.loads((tmp_path / "dataset_description.json").read_text())["GeneratedBy"][0]["Version"] == PHANTOM_VERSION
    )
    expected = make_participant(SMALL, 1)
    for name, volume in (("ct", expected.ct), ("mr", expected.mr)):
        read = read_volume(tmp_path / "sub-02" / f"{name}.nii.gz")
        assert np.array_equal(read.data, volume.data)
        assert read.affine == pytest.approx(volume.affine, abs=1e-4)


def test_several_processes_write_the_same_files(tmp_path):
    write_phantom_cohort(tmp_path / "one", SMALL, 1)
    write_phantom_cohort(tmp_path / "two", SMALL, 2)
    for name in ("sub-01/ct.nii.gz", "sub-02/mr.nii.gz"):
        one, two = (read_volume(tmp_path / folder / name) for folder in ("one", "two"))
        assert np.array_equal(one.data, two.data)


def test_finished_participants_are_kept_and_changed_ones_made_again(tmp_path, made):
    write_phantom_cohort(tmp_path, SMALL, 1)
    assert made == [0, 1]
    write_phantom_cohort(tmp_path, SMALL, 1)
    assert made == [0, 1]
    write_phantom_cohort(tmp_path, PhantomSettings(3, 8.0, 0), 1)  # a larger cohort goes on from the smaller
    assert made == [0, 1, 2]
    write_phantom_cohort(tmp_path, PhantomSettings(3, 8.0, 1), 1)
    assert made == [0, 1, 2, 0, 1, 2]
    (tmp_path / "sub-02" / "mr.nii.gz").unlink()
    write_phantom_cohort(tmp_path, PhantomSettings(3, 8.0, 1), 1)
    assert made[6:] == [1]


def test_another_version_of_the_phantom_makes_all_again(tmp_path, made, monkeypatch):
    write_phantom_cohort(tmp_path, SMALL, 1)
    monkeypatch.setattr("sct.head_phantom.settings.PHANTOM_VERSION", "next")
    with pytest.raises(SctError, match="makes phantom version next only"):
        PhantomSettings(2, 8.0, 0, version=SMALL.version)
    write_phantom_cohort(tmp_path, PhantomSettings(2, 8.0, 0, version="next"), 1)
    assert made == [0, 1, 0, 1]


def test_participants_that_no_longer_belong_leave_the_table(tmp_path):
    write_phantom_cohort(tmp_path, SMALL, 1)
    write_phantom_cohort(tmp_path, PhantomSettings(1, 8.0, 0), 1)
    assert len((tmp_path / "participants.tsv").read_text().splitlines()) == 2


def test_a_failure_leaves_no_table_but_what_was_finished(tmp_path, monkeypatch):
    def fail_at_second(settings, index):
        if index == 1:
            raise SctError("no space left")
        return make_participant(settings, index)

    monkeypatch.setattr(cohort, "make_participant", fail_at_second)
    with pytest.raises(SctError, match="no space left"):
        write_phantom_cohort(tmp_path, SMALL, 1)
    assert not (tmp_path / "participants.tsv").exists()
    assert (tmp_path / "sub-01" / "phantom.json").exists()
    assert not (tmp_path / "sub-02" / "phantom.json").exists()


def test_after_a_kill_the_finished_ones_are_kept(tmp_path):
    code = (
        "from pathlib import Path; from sct.head_phantom.cohort import write_phantom_cohort;"
        "from sct.head_phantom.settings import PhantomSettings;"
        f"write_phantom_cohort(Path({str(tmp_path)!r}), PhantomSettings(6, 8.0, 0), 1)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    first = tmp_path / "sub-01" / "phantom.json"
    deadline = time.monotonic() + 120
    while not first.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert first.exists()
    assert not (tmp_path / "participants.tsv").exists()
    stamp = (tmp_path / "sub-01" / "ct.nii.gz").stat().st_mtime_ns
    write_phantom_cohort(tmp_path, SMALL, 1)
    assert (tmp_path / "sub-01" / "ct.nii.gz").stat().st_mtime_ns == stamp
    assert np.array_equal(read_volume(tmp_path / "sub-02" / "ct.nii.gz").data, make_participant(SMALL, 1).ct.data)


def test_landmarks_and_affine_of_a_displaced_cohort_come_and_go(tmp_path):
    write_phantom_cohort(tmp_path, PhantomSettings(1, 8.0, 0, displaced=True), 1)
    folder = tmp_path / "sub-01"
    header, *rows = [line.split("\t") for line in (folder / "landmarks.tsv").read_text().splitlines()]
    assert header == ["name", "mr_x", "mr_y", "mr_z", "ct_x", "ct_y", "ct_z"]
    assert len(rows) >= 12
    affine = np.array(json.loads((folder / "displacement.json").read_text())["mr_world_to_ct_world"])
    points = np.array([[float(value) for value in row[1:]] for row in rows])
    errors = points[:, :3] @ affine[:3, :3].T + affine[:3, 3] - points[:, 3:]
    assert np.linalg.norm(errors, axis=1).max() < 4
    write_phantom_cohort(tmp_path, PhantomSettings(1, 8.0, 0), 1)
    assert not (folder / "landmarks.tsv").exists()
    assert not (folder / "displacement.json").exists()


@pytest.mark.parametrize(
    "files",
    [
        {"participants.tsv": "participant_id\nmine\n"},
        {"participants.tsv": "participant_id\nsub-01\n", "dataset_description.json": '{"Name": "a BIDS data set"}'},
        {"dataset_description.json": '{"GeneratedBy": [{"Name": "fMRIPrep"}]}'},
        {"sub-01/mr.nii.gz": "a scan", "sub-01/ct.nii.gz": "another"},
    ],
)
def test_what_is_somebody_elses_is_not_overwritten(tmp_path, files):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(SctError, match="not a phantom"):
        write_phantom_cohort(tmp_path, SMALL, 1)
    assert {str(p.relative_to(tmp_path)): p.read_text() for p in tmp_path.rglob("*") if p.is_file()} == files


def test_a_file_is_no_folder_for_a_cohort(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SctError, match="not a phantom"):
        write_phantom_cohort(tmp_path / "file", SMALL, 1)


def test_jobs_below_one_are_refused(tmp_path):
    with pytest.raises(SctError, match="jobs=0"):
        write_phantom_cohort(tmp_path, SMALL, 0)
    assert not list(Path(tmp_path).iterdir())

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from full_disk import full_after

from sct.core.errors import SctError
from sct.preparation.store import Geometry, ParticipantRecord, SliceStore, write_participant
from sct.slices.frame import Frame

SIZE = 8


def record(name="p1", n=5, fingerprint="a" * 64, **changes):
    geometry = Geometry((4, 5, 6), np.diag([2.0, 2.0, 2.0, 1.0]), 2.0)
    values = {
        "participant_id": name,
        "fingerprint": fingerprint,
        "settings": {"size_px": SIZE, "spacing_mm": 2.0},
        "geometry": geometry,
        "mr_range": (0.0, 100.5),
        "planes": np.arange(n) % 3,
        "indices": np.arange(n) * 2,
        "rows": -np.arange(n),
        "cols": np.arange(n),
        "sides": np.arange(n) + 3,
        "columns": {"technique": "ZTE"},
        "left_out": {"axial": 2},
        "left_out_reasons": {"no tissue": 2},
    }
    return ParticipantRecord(**values | changes)


def pixels(n=5, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (3, n, SIZE, SIZE)).astype(np.uint8)


def batches(data):
    return [data[:, :2], data[:, 2:]]


def test_what_was_written_is_read(tmp_path):
    data, written = pixels(), record()
    write_participant(tmp_path, written, batches(data))
    store = SliceStore(tmp_path)
    read = store.participant("p1")
    assert store.participant_ids == ["p1"]
    assert isinstance(read.data, np.memmap)
    np.testing.assert_array_equal(read.data, data)
    np.testing.assert_array_equal(np.load(tmp_path / "p1-aaaaaaaa.npy"), data)
    for name in ("planes", "indices", "rows", "cols", "sides"):
        np.testing.assert_array_equal(getattr(read, name), getattr(written, name))
        assert getattr(read, name).dtype == np.int64
    np.testing.assert_array_equal(read.geometry.affine, written.geometry.affine)
    assert read.geometry.shape == (4, 5, 6)
    assert (read.mr_range, read.columns, read.left_out) == ((0.0, 100.5), {"technique": "ZTE"}, {"axial": 2})
    assert read.frame(3) == Frame(-3, 3, 6)
    assert read.in_plane("coronal").tolist() == [1, 4]
    assert store.settings == {"size_px": SIZE, "spacing_mm": 2.0}


def test_a_participant_without_slices_is_kept(tmp_path):
    write_participant(tmp_path, record(n=0), [])
    assert SliceStore(tmp_path).participant("p1").data.shape == (3, 0, SIZE, SIZE)


def test_a_new_fingerprint_replaces_the_old_file_and_no_other_participants(tmp_path):
    write_participant(tmp_path, record("p1"), batches(pixels()))
    write_participant(tmp_path, record("p1-aaaaaaaa"), batches(pixels()))
    old = SliceStore(tmp_path).participant("p1").data
    write_participant(tmp_path, record("p1", fingerprint="b" * 64), batches(pixels(seed=1)))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["p1-aaaaaaaa-aaaaaaaa.npy", "p1-aaaaaaaa.json", "p1-bbbbbbbb.npy", "p1.json"]
    np.testing.assert_array_equal(SliceStore(tmp_path).participant("p1").data, pixels(seed=1))
    np.testing.assert_array_equal(old, pixels())  # whoever has it open reads on


@pytest.mark.parametrize(("n_bytes", "file"), [(0, "p1-bbbbbbbb.npy"), (500, "p1-bbbbbbbb.npy"), (2000, "p1.json")])
def test_a_full_disk_leaves_the_old_participant(tmp_path, n_bytes, file):
    """Full before, and within, the data; and within the commit point, which is larger here."""
    write_participant(tmp_path, record(), batches(pixels()))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    new = record(fingerprint="b" * 64, columns={"note": "x" * 3000})
    with full_after(n_bytes), pytest.raises(SctError, match=rf"{file}: cannot be written \(File too large\)"):
        write_participant(tmp_path, new, batches(pixels(seed=1)))
    np.testing.assert_array_equal(SliceStore(tmp_path).participant("p1").data, pixels())
    left = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name in before}
    assert left == before
    assert not list(tmp_path.glob(".*"))
    write_participant(tmp_path, new, batches(pixels(seed=1)))  # when there is space again
    np.testing.assert_array_equal(SliceStore(tmp_path).participant("p1").data, pixels(seed=1))


@pytest.mark.parametrize(("n_replaced", "is_new"), [(1, False), (2, False), (None, True)])
def test_a_kill_leaves_the_old_or_the_new_participant(tmp_path, monkeypatch, n_replaced, is_new):
    """Killed just before the data, or the commit point, takes its name; or when all is written."""
    write_participant(tmp_path, record(), batches(pixels()))
    replace_file, count = Path.replace, 0

    def counting(self, target):
        nonlocal count
        count += 1
        if count == n_replaced:
            os.kill(os.getpid(), signal.SIGKILL)
        return replace_file(self, target)

    child = os.fork()
    if child == 0:
        monkeypatch.setattr(Path, "replace", counting)
        write_participant(tmp_path, record(fingerprint="b" * 64), batches(pixels(seed=1)))
        os.kill(os.getpid(), signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    np.testing.assert_array_equal(SliceStore(tmp_path).participant("p1").data, pixels(seed=1 if is_new else 0))


def test_wrong_batches_are_refused(tmp_path):
    with pytest.raises(ValueError, match="5"):
        write_participant(tmp_path, record(), [pixels()[:, :2]])
    with pytest.raises(ValueError, match="uint8"):
        write_participant(tmp_path, record(), [pixels().astype(np.float32)])
    assert list(tmp_path.iterdir()) == []


def test_truncated_missing_and_foreign_files_are_named(tmp_path):
    write_participant(tmp_path, record(), batches(pixels()))
    data = tmp_path / "p1-aaaaaaaa.npy"
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(SctError, match=r"p1-aaaaaaaa\.npy.*truncated"):
        SliceStore(tmp_path).participant("p1")
    np.save(data, pixels(n=4))
    with pytest.raises(SctError, match="not uint8"):
        SliceStore(tmp_path).participant("p1")
    data.unlink()
    with pytest.raises(SctError, match="missing"):
        SliceStore(tmp_path).participant("p1")
    (tmp_path / "p2.json").write_text(json.dumps({"data": "x"}))
    with pytest.raises(SctError, match=r"p2\.json"):
        SliceStore(tmp_path)
    with pytest.raises(SctError, match="no such slice store"):
        SliceStore(tmp_path / "none")


def test_a_store_can_be_restricted_and_mixed_settings_are_refused(tmp_path):
    write_participant(tmp_path, record("p1"), batches(pixels()))
    write_participant(tmp_path, record("p2", settings={"size_px": SIZE, "spacing_mm": 1.0}), batches(pixels()))
    with pytest.raises(SctError, match="p2 was prepared with another spacing_mm"):
        _ = SliceStore(tmp_path).settings
    restricted = SliceStore(tmp_path, ["p1"])
    assert restricted.participant_ids == ["p1"]
    assert restricted.settings["spacing_mm"] == 2.0
    with pytest.raises(SctError, match="p2"):
        restricted.participant("p2")


def test_fingerprint_follows_content_not_order(tmp_path):
    for name, digit in (("p1", "a"), ("p2", "b")):
        write_participant(tmp_path, record(name, fingerprint=digit * 64), batches(pixels()))
    store = SliceStore(tmp_path)
    assert store.fingerprint(["p2", "p1"]) == store.fingerprint() != store.fingerprint(["p1"])
    before = store.fingerprint()
    write_participant(tmp_path, record("p1", fingerprint="c" * 64), batches(pixels()))
    assert SliceStore(tmp_path).fingerprint() != before

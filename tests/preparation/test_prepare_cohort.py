import errno
import multiprocessing
import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_pairs import SPACING_MM

from sct.cohorts.cohort import Cohort
from sct.core.errors import SctError
from sct.core.optional import can_import
from sct.preparation import cohort as cohort_module
from sct.preparation.cohort import prepare_cohort
from sct.preparation.contact_sheet import contact_sheet
from sct.preparation.settings import PrepareSettings
from sct.preparation.store import SliceStore
from sct.preparation.summary import failures, summary

SETTINGS = PrepareSettings(size_px=16, spacing_mm=SPACING_MM)


@pytest.fixture
def cohort(make_participant, tmp_path):
    participants = [make_participant(name, seed=i, columns={"technique": "ZTE"}) for i, name in enumerate("abc")]
    return Cohort("small", tmp_path / "cohort", participants)


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def contents(folder):
    return {path.name: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def bad_ct(cohort, i):
    """The cohort with a participant whose CT is its MR."""
    shutil.copy(cohort.participants[i].mr, cohort.participants[i].ct)


def test_a_cohort_is_prepared_once(cohort, store):
    first = prepare_cohort(cohort, SETTINGS, store, jobs=1)
    assert (first.prepared, first.up_to_date, first.failed) == (["a", "b", "c"], [], {})
    before = contents(store)
    second = prepare_cohort(cohort, SETTINGS, store, jobs=1)
    assert (second.prepared, second.up_to_date) == ([], ["a", "b", "c"])
    assert contents(store) == before
    assert second.store.settings == SETTINGS.to_plain()
    assert second.store.record("a").columns == {"technique": "ZTE"}


def test_without_pillow_all_but_the_contact_sheets_is_prepared_and_they_follow(cohort, store, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "PIL", None)  # as if it were not installed
        can_import.cache_clear()
        first = prepare_cohort(cohort, SETTINGS, store, jobs=1)
        second = prepare_cohort(cohort, SETTINGS, store, jobs=1)
    can_import.cache_clear()
    assert (first.prepared, second.up_to_date) == (["a", "b", "c"], ["a", "b", "c"])
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("without")]
    assert len(said) == 1
    assert said[0].startswith("without contact sheets: ")
    assert said[0].endswith("pip install pillow")
    assert not (store / "contact-sheets").exists()
    assert "contact sheets" not in summary(second)
    slices = contents(store)
    prepare_cohort(cohort, SETTINGS, store, jobs=1)
    assert {path.name for path in (store / "contact-sheets").iterdir()} == {"a.png", "b.png", "c.png"}
    assert {name: content for name, content in contents(store).items() if name.endswith(".npy")} == {
        name: content for name, content in slices.items() if name.endswith(".npy")
    }


def test_parallel_processes_write_the_same_bytes_and_leave_out_the_same(cohort, tmp_path):
    bad_ct(cohort, 1)
    one = prepare_cohort(cohort, SETTINGS, tmp_path / "one", jobs=1, on_error="skip")
    two = prepare_cohort(cohort, SETTINGS, tmp_path / "two", jobs=2, on_error="skip")
    assert (sorted(two.prepared), two.failed) == (one.prepared, one.failed)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_only_what_changed_is_redone_and_copies_with_new_dates_are_not(cohort, store, make_participant):
    prepare_cohort(cohort, SETTINGS, store, jobs=1)
    old = SliceStore(store)
    stamp = cohort.participants[1].ct.stat()
    make_participant("b", seed=9)  # same size of array, other voxels
    os.utime(cohort.participants[1].ct, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    os.utime(cohort.participants[2].ct, (0, 0))
    assert prepare_cohort(cohort, SETTINGS, store, jobs=1).prepared == ["b"]
    new = SliceStore(store)
    assert new.fingerprint(["a", "c"]) == old.fingerprint(["a", "c"])
    assert new.fingerprint(["b"]) != old.fingerprint(["b"])
    assert len(list(store.glob("*.npy"))) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"size_px": 32},
        {"spacing_mm": 5.0},
        {"min_mask_mm2": 500.0},
        {"min_mr_share": 0.1},
        {"mask_clip_hu": (-1000.0, 300.0)},
        {"mr_scaling": "percentile"},
        {"mr_scaling_unit": "slice"},
        {"frame": "patch", "size_px": 32},
    ],
)
def test_other_settings_are_other_slices(cohort, store, change):
    one = replace(cohort, participants=cohort.participants[:1])
    prepare_cohort(one, SETTINGS, store, jobs=1)
    changed = replace(SETTINGS, **change)
    report = prepare_cohort(one, changed, store, jobs=1)
    assert report.prepared == ["a"]
    assert PrepareSettings.from_plain(report.store.settings) == changed
    assert len(list(store.glob("*.npy"))) == 1


def test_a_new_version_of_the_preparation_redoes_everything(cohort, store, monkeypatch):
    prepare_cohort(cohort, SETTINGS, store, jobs=1)
    monkeypatch.setattr("sct.preparation.settings.PREPARATION_VERSION", 999)
    assert prepare_cohort(cohort, SETTINGS, store, jobs=1).prepared == ["a", "b", "c"]


def test_other_columns_and_a_lost_contact_sheet_leave_the_slices_alone(cohort, store):
    prepare_cohort(cohort, SETTINGS, store, jobs=1)
    before = contents(store)
    (store / "contact-sheets" / "a.png").unlink()
    changed = replace(cohort.participants[1], columns={"technique": "UTE"})
    report = prepare_cohort(
        replace(cohort, participants=[cohort.participants[0], changed, cohort.participants[2]]), SETTINGS, store, jobs=1
    )
    assert report.prepared == []
    assert report.store.record("b").columns == {"technique": "UTE"}
    after = contents(store)
    assert {name for name in before if before[name] != after[name]} == {"b.json", "b.png"}


def test_removed_participants_are_left_alone_and_not_in_the_report(cohort, store):
    prepare_cohort(cohort, SETTINGS, store, jobs=1)
    report = prepare_cohort(replace(cohort, participants=cohort.participants[:2]), SETTINGS, store, jobs=1)
    assert report.store.participant_ids == ["a", "b"]
    assert SliceStore(store).participant_ids == ["a", "b", "c"]


def test_a_damaged_data_file_is_made_again(cohort, store):
    prepare_cohort(cohort, SETTINGS, store, jobs=1)
    data = next(store.glob("b-*.npy"))
    data.write_bytes(data.read_bytes()[:1000])
    assert prepare_cohort(cohort, SETTINGS, store, jobs=1).prepared == ["b"]


def test_a_bad_participant_stops_the_preparation_with_its_name_and_file(cohort, store):
    bad_ct(cohort, 1)
    with pytest.raises(SctError, match=r"b: .*b/ct\.nii\.gz: not in Hounsfield units.*prepare\.on_error=skip"):
        prepare_cohort(cohort, SETTINGS, store, jobs=1)
    assert SliceStore(store).participant_ids == ["a"]


def test_bad_participants_are_left_out_and_all_listed(cohort, store):
    bad_ct(cohort, 0)
    cohort.participants[2].mr.write_bytes(b"")
    report = prepare_cohort(replace(cohort, left_out={"d": "no mr"}), SETTINGS, store, jobs=1, on_error="skip")
    assert report.prepared == ["b"]
    assert report.store.participant_ids == ["b"]
    lines = failures(report).splitlines()
    assert len(lines) == 3
    assert any("a/ct.nii.gz" in line for line in lines)
    assert any("c/mr.nii.gz" in line for line in lines)
    assert "left out: d: no mr" in lines
    assert all(line in summary(report) for line in lines)


def test_a_participant_that_went_bad_is_not_in_the_reports_store(cohort, store):
    prepare_cohort(cohort, SETTINGS, store, jobs=1)
    bad_ct(cohort, 0)
    report = prepare_cohort(cohort, SETTINGS, store, jobs=1, on_error="skip")
    assert report.store.participant_ids == ["b", "c"]


def test_when_nobody_can_be_used_it_says_why(cohort, store):
    for i in range(3):
        bad_ct(cohort, i)
    with pytest.raises(SctError, match=r"no participant can be used: a: .*; b: .*; c: "):
        prepare_cohort(cohort, SETTINGS, store, jobs=1, on_error="skip")


def test_a_head_without_usable_slices_is_a_bad_participant(cohort, store):
    with pytest.raises(SctError, match=r"a: .*no slice with usable content \(.*small mask"):
        prepare_cohort(cohort, replace(SETTINGS, min_mask_mm2=1e6), store, jobs=1)


def test_a_full_disk_stops_even_when_bad_participants_are_skipped(cohort, store, monkeypatch):
    prepare_cohort(replace(cohort, participants=cohort.participants[:2]), SETTINGS, store, jobs=1)
    before = contents(store)

    def no_space(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array_header_1_0", no_space)
    with pytest.raises(SctError, match=r"c-[0-9a-f]{8}\.npy: cannot be written \(No space left on device\)"):
        prepare_cohort(cohort, SETTINGS, store, jobs=1, on_error="skip")
    assert contents(store) == before


def kill_oneself(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_worker_is_a_clear_error(cohort, store, monkeypatch):
    monkeypatch.setattr(cohort_module, "_try", kill_oneself)
    with pytest.raises(SctError, match=r"a process died while preparing [abc], [abc] .*prepare\.jobs than 2"):
        prepare_cohort(cohort, SETTINGS, store, jobs=2)


def prepare_until_killed(cohort, store, n_replaced):
    """Prepare, and die by SIGKILL just before the n-th finished file takes its name."""
    replace_file = Path.replace
    count = 0

    def counting(self, target):
        nonlocal count
        count += 1
        if count == n_replaced:
            kill_oneself()
        return replace_file(self, target)

    Path.replace = counting
    prepare_cohort(cohort, SETTINGS, store, jobs=1)


def test_a_kill_leaves_the_old_participant_and_the_next_run_mends_it(cohort, store):
    one = replace(cohort, participants=cohort.participants[:1])
    prepare_cohort(one, replace(SETTINGS, min_mask_mm2=1000.0), store, jobs=1)
    old = SliceStore(store).participant("a")
    # the second file is the commit point
    process = multiprocessing.get_context("spawn").Process(target=prepare_until_killed, args=(one, store, 2))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    left = SliceStore(store).participant("a")
    assert left.fingerprint == old.fingerprint
    np.testing.assert_array_equal(left.data, old.data)
    assert list(store.rglob(".*.json"))  # a stray temporary file
    assert prepare_cohort(one, SETTINGS, store, jobs=1).prepared == ["a"]
    assert file_names(store) == [f"a-{SliceStore(store).record('a').fingerprint[:8]}.npy", "a.json", "a.png"]


def test_a_kill_after_the_commit_costs_the_contact_sheet_only(cohort, store):
    one = replace(cohort, participants=cohort.participants[:1])
    prepare_cohort(one, SETTINGS, store, jobs=1)
    names = file_names(store)
    (store / "contact-sheets" / "a.png").rename(store / "contact-sheets" / ".12345678.a.png")
    assert prepare_cohort(one, SETTINGS, store, jobs=1).up_to_date == ["a"]
    assert file_names(store) == names


def file_names(store):
    return sorted(path.name for path in store.rglob("*") if path.is_file() and path.name != ".lock")


def test_wrong_arguments_are_named(cohort, store):
    with pytest.raises(SctError, match=r"prepare\.on_error=ignore"):
        prepare_cohort(cohort, SETTINGS, store, on_error="ignore")
    with pytest.raises(SctError, match=r"prepare\.jobs=0"):
        prepare_cohort(cohort, SETTINGS, store, jobs=0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size_px": 4}, "size_px=4"),
        ({"size_px": 96.5}, "size_px=96.5"),
        ({"spacing_mm": 0}, "spacing_mm=0"),
        ({"spacing_mm": "fine"}, "fine"),
        ({"frame": "square"}, r"frame=square.*resize, patch"),
        ({"mask_clip_hu": [200, -1000]}, "mask_clip_hu"),
        ({"mask_clip_hu": [1, 2, 3]}, "prepare"),
        ({"mr_percentiles": [5, 101]}, "mr_percentiles"),
        ({"min_mask_mm2": -1}, "min_mask_mm2"),
        ({"min_mr_share": 2}, "min_mr_share"),
        ({"patch_overlap": 1}, "patch_overlap=1"),
        ({"window": {"width_hu": 0}}, "width"),
        ({"registration": "atlas"}, "registration=atlas"),
    ],
)
def test_wrong_settings_are_named(values, message):
    with pytest.raises(SctError, match=message):
        PrepareSettings.from_plain(values)


def test_settings_survive_plain_types():
    settings = PrepareSettings(size_px=64, mr_percentiles=(1.0, 99.0), frame="patch", patch_overlap=0.25)
    assert PrepareSettings.from_plain(settings.to_plain()) == settings
    # the overlap decides nothing without patches: a store without the word is up to date
    assert PrepareSettings(patch_overlap=0.25).to_plain() == PrepareSettings().to_plain()


def test_the_contact_sheet_shows_three_planes_with_outlines(cohort, store):
    report = prepare_cohort(replace(cohort, participants=cohort.participants[:1]), SETTINGS, store, jobs=1)
    stored = report.store.participant("a")
    sheet = contact_sheet(stored)
    assert sheet.shape == (18 + 6 * 128, 8 * 128, 3)
    for row in range(6):
        tile = sheet[18 + row * 128 : 18 + (row + 1) * 128, 3 * 128 : 4 * 128].astype(int)
        is_coloured = np.ptp(tile, axis=-1) > 0
        assert 50 < is_coloured.sum() < 128 * 128 / 4
    image = Image.open(store / "contact-sheets" / "a.png")
    assert image.size == (8 * 128, 18 + 6 * 128)
    registered = contact_sheet(replace(stored, registration={"matrix": np.eye(4).tolist(), "warnings": []}))
    assert registered.shape[0] == 18 + 9 * 128

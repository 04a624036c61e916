"""A file is the old or the new one, never half of one."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sct.core.errors import SctError
from sct.core.files import atomic_path, check_writable, read_json, staged, write_json, write_text


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(ZeroDivisionError), atomic_path(path) as temporary:
        temporary.write_text("ne")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(SctError, match="No space left"), atomic_path(path) as temporary:
        temporary.write_text("ne")
        raise OSError(28, "No space left on device")
    assert path.read_text() == "old"


def test_a_kill_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    code = (
        "import os, signal, sys; from pathlib import Path; from sct.core.files import atomic_path\n"
        "with atomic_path(Path(sys.argv[1])) as t:\n    t.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)]).returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    assert all(p.name.startswith(".") or p.name == "a.txt" for p in tmp_path.iterdir())


def test_an_unwritable_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(SctError, match="cannot be written"):
        write_text(tmp_path / "file" / "a.txt", "x")


def test_json_round_trip_and_refusals(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"x": [1, None, "ü"]})
    assert read_json(tmp_path / "a.json") == {"x": [1, None, "ü"]}
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", float("nan"))
    assert read_json(tmp_path / "a.json") == {"x": [1, None, "ü"]}
    (tmp_path / "b.json").write_text("{")
    with pytest.raises(SctError, match=r"b\.json"):
        read_json(tmp_path / "b.json")
    with pytest.raises(SctError, match="no such file"):
        read_json(tmp_path / "c.json")


def test_staged_files_appear_together_and_the_named_one_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_text(tmp_path / "out" / "b.txt", "old")
    moved: list[str] = []
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda self, target: (moved.append(target.name), replace(self, target))[1])
    with staged(tmp_path / "out", last="a.json") as hidden:
        for name in ("a.json", "b.txt", "c/d.txt"):
            (hidden / name).parent.mkdir(exist_ok=True)
            (hidden / name).write_text("new")
        assert (tmp_path / "out" / "b.txt").read_text() == "old"
    assert moved == ["b.txt", "c", "a.json"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a.json", "b.txt", "c"}
    assert (tmp_path / "out" / "b.txt").read_text() == (tmp_path / "out" / "c" / "d.txt").read_text() == "new"


@pytest.mark.parametrize("fault", [ZeroDivisionError(), OSError(28, "No space left on device"), SctError("no bone")])
def test_a_failure_while_staging_leaves_everything_as_it_was(tmp_path: Path, fault: Exception) -> None:
    write_text(tmp_path / "there" / "b.txt", "old")
    for folder in (tmp_path / "there", tmp_path / "new" / "deep"):
        with pytest.raises(SctError if isinstance(fault, OSError) else type(fault)), staged(folder) as hidden:
            (hidden / "b.txt").write_text("half")
            raise fault
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == ["there", "there/b.txt"]
    assert (tmp_path / "there" / "b.txt").read_text() == "old"


def test_a_staged_folder_never_replaces_a_filled_one(tmp_path: Path) -> None:
    write_text(tmp_path / "series" / "mine.txt", "old")
    with pytest.raises(SctError, match="series: is a folder and cannot be written over"), staged(tmp_path) as hidden:
        write_text(hidden / "series" / "new.txt", "new")
        write_text(hidden / "a.txt", "new")  # comes first, and yet stays away
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == [
        "series",
        "series/mine.txt",
    ]
    (tmp_path / "series" / "sub").mkdir()
    for name, kind in (("mine.txt/deep.txt", "a file"), ("sub", "a folder")):
        with pytest.raises(SctError, match=f"is {kind} and"), staged(tmp_path / "series") as hidden:
            write_text(hidden / "a.txt", "new")
            write_text(hidden / name, "new")
    assert sorted(path.name for path in (tmp_path / "series").iterdir()) == ["mine.txt", "sub"]


def test_places_that_take_no_files_are_named_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    check_writable(tmp_path / "new" / "deep")
    assert not (tmp_path / "new").exists()
    with pytest.raises(SctError, match="choose another folder"):
        check_writable(tmp_path / "file" / "out")
    with pytest.raises(SctError, match="is a file"), staged(tmp_path / "file"):
        pass

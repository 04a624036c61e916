"""Files that are either the old or the new one, never half of one."""

import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import file_digest
from pathlib import Path
from typing import Any

from sct.core.errors import SctError

__all__ = ["atomic_path", "check_writable", "file_sha256", "read_json", "staged", "write_json", "write_text"]


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its place when the block ends without an error.

    The temporary name keeps the suffixes (writers choose the format by them), starts with a dot (folder listings pass
    it over) and is removed when the block fails.

    Args:
        path: Where the finished file shall stand; its folder is made when missing.

    Raises:
        SctError: The disk is full, or the folder cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{uuid.uuid4().hex[:8]}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise SctError(
            f"{path}: cannot be written ({error.strerror or error}); the old file, if any, is kept"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def staged(folder: Path, last: str = "") -> Iterator[Path]:
    """Yield a hidden folder inside `folder` whose contents move up into it when the block ends without an error.

    Several files that belong together appear together, or not at all. Files replace those of their name. A folder takes
    its place whole, and only where none, or an empty one, stands. When the block fails, what was there stays as it was,
    and folders that were made for it are taken away.

    Args:
        folder: Where the contents go; made when missing.
        last: Name of the file that moves last and so says that the others are there.

    Raises:
        SctError: `folder` is a file or cannot be written, or the disk is full.
    """
    folder = Path(folder)
    _refuse_file(folder)
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    staging: Path | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".sct-", dir=folder))
        yield staging
        contents = sorted(staging.iterdir(), key=lambda path: (path.name == last, path.name))
        for made in contents:  # all of them before the first moves
            _refuse_what_is_in_the_way(made, folder / made.name)
        for made in contents:
            made.replace(folder / made.name)
    except OSError as error:
        raise SctError(f"{folder}: cannot be written ({error.strerror or error}); give a writable folder") from error
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)
        for place in missing:  # goes only where nothing was moved there
            with suppress(OSError):
                place.rmdir()


def check_writable(folder: Path) -> None:
    """Find out before a long computation whether a folder, or the one it would be made in, takes files.

    Raises:
        SctError: It does not.
    """
    _refuse_file(folder)
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise SctError(f"{folder}: cannot be written ({error.strerror or error}); choose another folder") from error


def _refuse_file(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise SctError(f"{folder}: is a file; give a folder for the results")


def _refuse_what_is_in_the_way(made: Path, place: Path) -> None:
    if place.is_dir() and (made.is_file() or any(place.iterdir())):
        raise SctError(f"{place}: is a folder and cannot be written over; remove it, or choose another place")
    if made.is_dir() and place.exists() and not place.is_dir():
        raise SctError(f"{place}: is a file and cannot be written over; remove it, or choose another place")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically.

    Raises:
        SctError: The file cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write strict JSON (no NaN) atomically, indented, with a final newline.

    Raises:
        SctError: The file cannot be written.
    """
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        SctError: The file is missing, unreadable or not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SctError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:
        raise SctError(f"{path}: not readable as JSON ({error})") from error


def file_sha256(path: Path) -> str:
    """Digest of a file's contents, in hexadecimal.

    Raises:
        SctError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SctError(f"{path}: cannot be read ({error.strerror or error})") from error

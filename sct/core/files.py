"""Files that are either the old or the new one, never half of one."""

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sct.core.errors import SctError

__all__ = ["atomic_path", "read_json", "write_json", "write_text"]


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

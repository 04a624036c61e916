"""Several output files that appear together, or not at all."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sct.core.errors import SctError

__all__ = ["check_writable", "staged"]


def check_writable(folder: Path) -> None:
    """Find out before a long computation whether a folder, or the one it would be made in, takes files.

    Raises:
        SctError: It does not.
    """
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise SctError(f"{folder}: cannot be written ({error.strerror or error}); choose another folder") from error


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Yield a hidden folder beside the outputs whose contents move into `folder` when the block ends without an error.

    Files replace those of their name. A folder takes its place whole, and only where none, or an empty one, stands.

    Raises:
        SctError: The disk is full, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".sct-", dir=folder))
    except OSError as error:
        raise SctError(f"{folder}: cannot be written ({error.strerror or error}); choose another folder") from error
    try:
        yield staging
        for made in sorted(staging.iterdir()):
            made.replace(folder / made.name)
    except OSError as error:
        raise SctError(f"{folder}: cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)

"""One process at a time in a folder; the others wait."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["exclusive"]

_LOCK_FILE = ".lock"


@contextmanager
def exclusive(folder: Path) -> Iterator[bool]:
    """Hold a folder's lock during the block; wait, and say so, while another process holds it.

    The system frees the lock when its holder ends, however it ends. Where locks do not work (a read-only folder, some
    network file systems, Windows) the block runs without.

    Yields:
        Whether the lock is held.
    """
    try:
        import fcntl

        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / _LOCK_FILE).open("a")
    except (ImportError, OSError):
        yield False
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{folder}: another process is preparing it; waiting", file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            yield False
            return
        yield True

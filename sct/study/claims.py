"""Claims: two processes never write one cell.

A claim is the file `claim.json` in the run folder (host, pid, SLURM job and how often it was requeued, token). Its
owner renews the file's modification time; a claim whose owner is gone, or that has not been renewed for `STALE_S`
seconds, is taken over; a requeued job takes over its own at once, also on another node. Judging and taking
happen under a file lock that the kernel drops with its process, so that of several takers one wins.
"""

import json
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from sct.core.errors import SctError
from sct.core.files import write_json

__all__ = ["HEARTBEAT_S", "STALE_S", "claim", "claim_is_alive"]

HEARTBEAT_S = 15.0
STALE_S = 180.0  # a node's clock may differ from the file server's by some seconds, and a busy file system may stall

_ours: set[str] = set()
"""Tokens of the claims that this process holds."""


@contextmanager
def claim(folder: Path) -> Iterator[bool]:
    """Claim a run folder while the block runs.

    Args:
        folder: The run folder; made when missing.

    Yields:
        True when the claim is ours; False when a living process holds it (the block should then leave the cell alone).

    Raises:
        SctError: The folder cannot be made or written.
    """
    path = folder / "claim.json"
    token = uuid.uuid4().hex
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".claim.lock"):
            taken = claim_is_alive(folder)
            if not taken:
                job, restarts = _job()
                owner = {"host": socket.gethostname(), "pid": os.getpid(), "job": job, "restarts": restarts}
                write_json(path, owner | {"token": token})
    except OSError as error:
        raise SctError(f"{folder}: cannot be written ({error.strerror or error})") from error
    if taken:
        yield False
        return
    _ours.add(token)
    stop = threading.Event()
    heart = threading.Thread(target=_renew, args=(path, token, stop), daemon=True)
    heart.start()
    try:
        yield True
    finally:
        stop.set()
        heart.join()
        _ours.discard(token)
        with FileLock(folder / ".claim.lock"):
            if _read(path).get("token") == token:
                path.unlink(missing_ok=True)


def claim_is_alive(folder: Path) -> bool:
    """Whether a living process holds the claim on a run folder."""
    path = folder / "claim.json"
    try:
        age_s = time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return False
    if age_s > STALE_S:
        return False
    owner = _read(path)
    job, restarts = _job()
    if job and owner.get("job") == job and int(owner.get("restarts", 0)) < restarts:
        return False  # SLURM starts a job again only when its former self is gone
    if owner.get("host") != socket.gethostname():
        return True
    pid = int(owner.get("pid", 0))
    if pid == os.getpid():  # ours, or of a process that had our number before us, say in a container that came back
        return owner.get("token") in _ours
    return _process_lives(pid)


def _process_lives(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """A killed process whose parent has not collected it still answers signals."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return False


def _renew(path: Path, token: str, stop: threading.Event) -> None:
    """Renew the claim; when it was taken over (this process slept too long), stop writing beside the new owner."""
    while not stop.wait(HEARTBEAT_S):
        owner = _read(path).get("token")
        if owner not in (token, None):
            _stop()
            return
        with suppress(OSError):
            os.utime(path)


def _stop() -> None:
    """Interrupt this process, as Ctrl-C would; shells start background jobs deaf to that, and then it is ended."""
    is_deaf = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    os.kill(os.getpid(), signal.SIGTERM if is_deaf else signal.SIGINT)


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _job() -> tuple[str, int]:
    """SLURM's name of the job we are in, and how often it was requeued; empty and 0 outside of SLURM."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    job = f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID", "")
    return job, int(os.environ.get("SLURM_RESTART_COUNT", "0"))

"""`launcher=local_gpus`: the cells of a sweep shared by one process per GPU of this machine.

Each process runs the same words with the serial launcher and sees one GPU. Claims are all they need to share the cells:
each goes through the whole list and passes over what is done or another is at. So a process that dies costs no more
than its cell, and the same words on a second machine of the file system help too.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import IO, TYPE_CHECKING, Any

from sct._door import SWEEP_FLAGS
from sct._sweep_end import check_all_done
from sct.core.errors import SctError
from sct.core.workers import n_cores

if TYPE_CHECKING:
    from sct._sweep import Plan

__all__ = ["run_on_gpus"]


def run_on_gpus(plan: "Plan", words: Sequence[str]) -> None:
    """Work through a plan in several processes, wait for all of them, and print the ledger.

    Args:
        plan: The cells.
        words: The command line that stands for them.

    Raises:
        SctError: There is no GPU and no number of processes; a cell is not done at the end, or a process failed.
    """
    environments = _environments(plan.config.launcher.processes)
    cells_words = [word for word in words if word not in SWEEP_FLAGS and not word.startswith("launcher")]
    codes = _run(["-m", *cells_words, "launcher=serial"], environments)
    ends = ", ".join(f"process {k} ended with code {code}" for k, code in enumerate(codes) if code)
    if check_all_done(plan, ends, always_shown=True) and ends:  # the processes' own tables are mixed up
        raise SctError(f"all cells are done, but {ends}")


def _environments(processes: Any) -> list[dict[str, str]]:
    """What each process has in its environment beside ours."""
    gpus = _gpus()
    if processes == "auto":
        if not gpus:
            raise SctError("launcher=local_gpus: torch finds no GPU here; launcher.processes=2 shares the CPU instead")
        processes = len(gpus)
    if not isinstance(processes, int) or processes < 1:
        raise SctError(f"launcher.processes={processes}: must be auto, or a whole number of at least 1")
    threads = {} if "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": str(max(1, n_cores() // processes))}
    return [threads | ({"CUDA_VISIBLE_DEVICES": gpus[k % len(gpus)]} if gpus else {}) for k in range(processes)]


def _gpus() -> list[str]:
    """Names of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES takes them."""
    import torch

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = [name.strip() for name in visible.split(",")] if visible else []
    n = torch.cuda.device_count()
    return names[:n] if names else [str(k) for k in range(n)]


def _run(words: Sequence[str], environments: Sequence[dict[str, str]]) -> list[int]:
    """Exit codes of the processes, which end with this one."""
    before = signal.signal(signal.SIGTERM, _leave)
    processes: list[subprocess.Popen[str]] = []
    try:
        for k, environment in enumerate(environments):
            process = subprocess.Popen(
                [sys.executable, "-m", "sct.run", *words],
                env={**os.environ, **environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            processes.append(process)
            for source, target in ((process.stdout, sys.stdout), (process.stderr, sys.stderr)):
                assert source is not None
                threading.Thread(target=_copy, args=(source, target, f"[{k}] "), daemon=True).start()
        return [process.wait() for process in processes]
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
        signal.signal(signal.SIGTERM, before)


def _copy(source: IO[str], target: IO[str], prefix: str) -> None:
    for line in source:
        print(f"{prefix}{line}", end="", file=target, flush=True)


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)

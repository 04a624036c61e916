"""Several processes of one training on one machine: they start together and end together.

Lightning's own launchers do not fit a command that runs many cells: `ddp` runs the command line again, which would
start the whole sweep in each process, and `ddp_spawn` brings back neither the sums of a test nor what callbacks know.
Here one cell's training is a function that every process calls with the same arguments; Lightning finds itself already
launched (`LOCAL_RANK` is set) and the process group already made.
"""

import multiprocessing
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import torch

from sct.core.errors import SctError
from sct.core.workers import end_with_parent

__all__ = ["ProcessError", "leave_group", "run_together"]

_OURS_TO_ANSWER = ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2")  # SLURM sends them to all processes of a job


class ProcessError(RuntimeError):
    """A process ended with an error; the message is its traceback, or how it died."""


def run_together(work: Callable[..., None], arguments: tuple[Any, ...], n: int, backend: str) -> None:
    """Call `work(*arguments, rank=...)` in `n` processes that form one process group, and wait for all of them.

    When one fails, the others are ended: none waits for it. They end too when this process dies or is interrupted.

    Args:
        work: A function at the top of a module.
        arguments: Anything that can be pickled.
        n: Number of processes.
        backend: Of the process group: `gloo` on CPUs, `nccl` on GPUs.

    Raises:
        SctError: A process met a user's mistake.
        ProcessError: A process failed otherwise.
    """
    context = multiprocessing.get_context("spawn")  # a forked process cannot use CUDA, nor its parent's threads
    with tempfile.TemporaryDirectory() as folder:
        # A file to meet at needs no port that another cell of this machine may have taken.
        meeting = Path(folder) / "meeting"
        pipes, processes = [], []
        try:
            for rank in range(n):
                ours, theirs = context.Pipe(duplex=False)
                group = (backend, f"file://{meeting}", rank, n)
                process = context.Process(target=_process, args=(work, arguments, group, theirs))
                process.start()
                theirs.close()
                pipes.append(ours)
                processes.append(process)
            _await(pipes)
        finally:
            for process in processes:
                process.kill()
            for process in processes:
                process.join()


def leave_group() -> None:
    """Leave the process group, when there is one: what follows is for one process alone."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _await(pipes: list[Connection]) -> None:
    """Until every process has said that it is done, or one has failed."""
    rank_of = {pipe: rank for rank, pipe in enumerate(pipes)}
    while rank_of:
        for pipe in wait(list(rank_of)):
            assert isinstance(pipe, Connection)
            name = f"process {rank_of.pop(pipe)} of {len(pipes)}"
            try:
                mistake, error = pipe.recv()
            except EOFError:
                raise ProcessError(f"{name} died without a word (out of memory?)") from None
            if mistake is not None:
                raise SctError(mistake)
            if error is not None:
                raise ProcessError(f"{name}:\n{error}")


def _process(
    work: Callable[..., None], arguments: tuple[Any, ...], group: tuple[str, str, int, int], pipe: Any
) -> None:
    backend, meeting, rank, n = group
    for name in _OURS_TO_ANSWER:  # the parent answers, and ends this process with itself
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    end_with_parent()  # so that nobody writes a cell whose claim has died
    os.environ.update(LOCAL_RANK=str(rank), NODE_RANK="0", WORLD_SIZE=str(n))
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # the processes are on one machine, whatever its name
    torch.set_num_threads(max(1, torch.get_num_threads() // n))
    try:
        if backend == "nccl":
            torch.cuda.set_device(rank)
        torch.distributed.init_process_group(backend, init_method=meeting, rank=rank, world_size=n)
        work(*arguments, rank=rank)
        pipe.send((None, None))
    except SctError as error:
        pipe.send((str(error), None))
    except BaseException:
        pipe.send((None, traceback.format_exc()))

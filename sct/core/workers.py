"""Independent pieces of work shared by processes: one thread each, and none outlives its parent."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

__all__ = ["WorkerDiedError", "each_done", "end_with_parent", "n_cores"]

Result = TypeVar("Result")
_PARENT_GONE = 1
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class WorkerDiedError(RuntimeError):
    """A process was killed, perhaps because memory ran out.

    Attributes:
        at_work: Numbers of the pieces that were being worked on, one of which was its.
    """

    def __init__(self, at_work: list[int]) -> None:
        super().__init__(f"a process died at one of the pieces {at_work}")
        self.at_work = at_work


def each_done(
    work: Callable[..., Result], pieces: Sequence[tuple[Any, ...]], n_processes: int
) -> Generator[tuple[int, Result]]:
    """Call `work(*piece)` for all pieces, and yield the number of each with its result when it is done.

    Close the generator (or let it raise) to stop early: pieces at work are finished, no other is begun.

    Args:
        work: A function at the top of a module.
        pieces: Arguments that can be pickled.
        n_processes: Processes at most; a single one is this process itself.

    Raises:
        WorkerDiedError: A process was killed.
        Exception: Whatever `work` raises.
    """
    if min(n_processes, len(pieces)) <= 1:
        for number, piece in enumerate(pieces):
            yield number, work(*piece)
        return
    n_processes = min(n_processes, len(pieces))
    # spawn: the parent may hold threads (torch), which fork would copy in an undefined state
    context = multiprocessing.get_context("spawn")
    with _one_thread_per_process(), ProcessPoolExecutor(n_processes, context, initializer=_start_worker) as pool:
        waiting = iter(enumerate(pieces))
        at_work: dict[Future[Result], int] = {}
        while True:
            # no more than there are processes, so that it is known what was worked on when one dies
            while len(at_work) < n_processes and (following := next(waiting, None)) is not None:
                at_work[pool.submit(work, *following[1])] = following[0]
            if not at_work:
                return
            for future in wait(at_work, return_when=FIRST_COMPLETED).done:
                try:
                    result = future.result()
                except BrokenProcessPool as error:
                    raise WorkerDiedError(sorted(at_work.values())) from error
                yield at_work.pop(future), result


def n_cores() -> int:
    """Cores that this process may use: fewer than the machine has where a scheduler or container says so."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def end_with_parent() -> None:
    """From now on, end this spawned process when the one that started it is gone."""
    parent = multiprocessing.parent_process()
    if parent is not None:

        def end() -> None:
            parent.join()
            os._exit(_PARENT_GONE)

        threading.Thread(target=end, daemon=True).start()


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback on Ctrl-C
    end_with_parent()


@contextmanager
def _one_thread_per_process() -> Iterator[None]:
    """Processes that start within share the cores among themselves."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

"""Peak memory of a process and all that it starts."""

import resource
import threading
from pathlib import Path
from types import TracebackType

__all__ = ["TreePeak", "own_peak_gib"]

_EVERY_S = 0.25
_KIB_PER_GIB = 2**20


class TreePeak:
    """Samples the memory of a process and its descendants together while it is entered.

    Shared pages are divided among the processes that share them (proportional set size), where the kernel tells it.

    Attributes:
        gib: The largest sum seen; 0 where nothing could be read.
    """

    def __init__(self, pid: int) -> None:
        self.gib = 0.0
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "TreePeak":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        try:
            import psutil
        except ImportError:  # the child's own peak is told by itself
            return
        while not self._stop.wait(_EVERY_S):
            try:
                root = psutil.Process(self._pid)
                tree = [root, *root.children(recursive=True)]
            except psutil.Error:
                return
            self.gib = max(self.gib, sum(_proportional_kib(process.pid) for process in tree) / _KIB_PER_GIB)


def own_peak_gib() -> float:
    """Peak of this process, or of the largest process that it has waited for.

    The kernel's high-water mark of the program itself; `getrusage` would count what the process was before `exec`.
    """
    own = _field_kib(Path("/proc/self/status"), "VmHWM:") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / _KIB_PER_GIB


def _proportional_kib(pid: int) -> int:
    return _field_kib(Path(f"/proc/{pid}/smaps_rollup"), "Pss:") or 0


def _field_kib(path: Path, name: str) -> int | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), None)

"""How much memory this process may still take."""

from pathlib import Path

__all__ = ["available_bytes"]

_CGROUP = Path("/sys/fs/cgroup")


def available_bytes() -> int:
    """Free memory of the machine or of the container that limits us, whichever is less; 4 GiB where nothing tells."""
    candidates = [_meminfo(), _cgroup()]
    known = [value for value in candidates if value is not None]
    return min(known) if known else 4 * 2**30


def _meminfo() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _cgroup() -> int | None:
    """What cgroup v2 leaves; pages of the file cache count as free."""
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        used = int((_CGROUP / "memory.current").read_text())
        cached = next(
            int(line.split()[1])
            for line in (_CGROUP / "memory.stat").read_text().splitlines()
            if line.startswith("inactive_file ")
        )
        return None if limit == "max" else max(0, int(limit) - used + cached)
    except (OSError, ValueError, StopIteration):
        return None

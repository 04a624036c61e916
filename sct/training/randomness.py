"""Seeds of every draw: functions of (seed, what for, epoch, step), so that a resumed run is the run."""

from hashlib import blake2b

__all__ = ["derive_seed"]


def derive_seed(seed: int, *parts: int | str) -> int:
    """A seed of its own for one purpose, 0 <= value < 2**63, the same on every machine and version.

    Args:
        seed: The run's seed.
        parts: What the draw is for and when, e.g. `"order", epoch`.
    """
    text = "/".join(map(str, (seed, *parts)))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1

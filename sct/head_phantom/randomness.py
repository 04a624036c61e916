"""Independent random numbers for each purpose, so that a new draw in one place changes no other."""

import zlib

import numpy as np

__all__ = ["generator"]


def generator(seed: int, index: int, purpose: str) -> np.random.Generator:
    """A generator that depends on (seed, participant index, purpose) and nothing else."""
    return np.random.default_rng(np.random.SeedSequence([seed, index, zlib.crc32(purpose.encode())]))

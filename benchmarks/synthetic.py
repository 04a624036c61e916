"""Slices and stores for benchmarks of training, whose pixels need not mean anything."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sct.preparation.store import Geometry, ParticipantRecord, SliceStore, write_participant

__all__ = ["slices", "store_of"]

_DISTINCT = 64


def slices(n: int, size_px: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """MR and CT (n, size, size): smooth texture inside an ellipse, 0 outside; of `_DISTINCT` kinds, in turn."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1 : 1 : size_px * 1j, -1 : 1 : size_px * 1j]
    coarse = torch.from_numpy(rng.random((min(n, _DISTINCT), 2, 16, 16), np.float32))
    images = torch.nn.functional.interpolate(coarse, size=size_px, mode="bicubic").clamp(0, 1).numpy()
    levels = np.rint(images * (np.hypot(x, y / 1.1) < 0.9) * 255).astype(np.uint8)
    return levels[np.arange(n) % len(levels), 0], levels[np.arange(n) % len(levels), 1]


def store_of(folder: Path, n: int, size_px: int) -> SliceStore:
    """A store of one participant with `n` slices."""
    mr, ct = slices(n, size_px)
    numbers = np.arange(n)
    record = ParticipantRecord(
        participant_id="p",
        fingerprint="0" * 16,
        settings={"size_px": size_px},
        geometry=Geometry((n, n, n), np.eye(4), 1.0),
        mr_range=(0.0, 255.0),
        planes=numbers % 3,
        indices=numbers // 3,
        rows=0 * numbers,
        cols=0 * numbers,
        sides=0 * numbers + size_px,
    )
    write_participant(folder, record, [np.stack([mr, ct, np.where(ct > 0, 255, 0).astype(np.uint8)])])
    return SliceStore(folder)

"""Slices of a store as wholes: what is stored, or put together from crops."""

import numpy as np
from numpy.typing import NDArray

from sct.preparation.store import StoredParticipant

__all__ = ["entries_by_slice", "whole_slice"]


def entries_by_slice(participant: StoredParticipant, plane: str) -> list[NDArray[np.int64]]:
    """Entries of each stored slice of a plane, slices ascending: one, or those of its crops."""
    entries = participant.in_plane(plane)
    starts = np.flatnonzero(np.diff(participant.indices[entries])) + 1
    return np.split(entries, starts) if entries.size else []


def whole_slice(participant: StoredParticipant, entries: NDArray[np.int64]) -> tuple[NDArray[np.uint8], float]:
    """One slice.

    Args:
        participant: Of a store.
        entries: All that belong to the slice, as `entries_by_slice` gives them.

    Returns:
        Array (3, H, W) of `CHANNELS`, and the side of its pixels in mm.
    """
    size_px, spacing_mm = participant.data.shape[-1], participant.geometry.spacing_mm
    if len(entries) == 1:
        return participant.data[:, entries[0]], float(participant.sides[entries[0]]) / size_px * spacing_mm
    rows, cols = (starts[entries] - starts[entries].min() for starts in (participant.rows, participant.cols))
    whole = np.zeros((participant.data.shape[0], rows.max() + size_px, cols.max() + size_px), np.uint8)
    for entry, row, col in zip(entries, rows, cols, strict=True):
        place = whole[:, row : row + size_px, col : col + size_px]
        # what two crops share is equal in both, but for the mask, which counts in one of them
        np.maximum(place, participant.data[:, entry], out=place)
    return whole, spacing_mm

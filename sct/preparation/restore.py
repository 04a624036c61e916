"""Slices of a store back in the volume that they were cut from."""

import numpy as np
from numpy.typing import NDArray

from sct.preparation.store import ParticipantRecord
from sct.slices.frame import paste
from sct.slices.planes import PLANES, extract

__all__ = ["restore_plane"]


def restore_plane(
    record: ParticipantRecord, images: NDArray[np.floating], plane: str, fill: float
) -> NDArray[np.float32]:
    """Put one plane's slices back where they came from; of crops that overlap, the later one shows.

    Args:
        record: The participant, from a store.
        images: Array (k, size_px, size_px): the slices or crops of this plane in stored order, any units (HU, gray).
        plane: One of `PLANES`.
        fill: Value outside the frames and in slices that were left out.

    Returns:
        Array (X, Y, Z) float32 on the grid of `record.geometry`.

    Raises:
        ValueError: Another number of slices than the store has in this plane.
    """
    entries = np.flatnonzero(record.planes == PLANES.index(plane))
    if len(images) != len(entries):
        raise ValueError(f"{len(images)} {plane} slices for {len(entries)} of {record.participant_id}")
    volume = np.full(record.geometry.shape, fill, np.float32)
    stack = extract(volume, plane)
    for entry, image in zip(entries, images, strict=True):
        paste(image, record.frame(int(entry)), stack[record.indices[entry]])
    return volume

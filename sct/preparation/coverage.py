"""How large a head is, and where its field of view cuts it off."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sct.preparation.store import CHANNELS, StoredParticipant
from sct.preparation.whole_slices import entries_by_slice, whole_slice
from sct.slices.frame import frame_of
from sct.slices.planes import PLANES

__all__ = ["FACES", "cut_shares", "head_areas_and_mm"]

FACES = {"axial": ("inferior", "superior"), "coronal": ("posterior", "anterior"), "sagittal": ("left", "right")}
"""Sides of the head where the stack of each plane begins and ends (RAS+)."""

_MASK = CHANNELS.index("mask")


def cut_shares(areas: Mapping[str, NDArray[np.number]]) -> dict[str, float]:
    """Area of the head in the outermost slice on each side, as share of the largest slice of its plane.

    Near 0 where the head ends within the field of view; large where it goes on beyond, as the neck does below.

    Args:
        areas: Plane -> area of the head in each slice (n,), any unit, in order; slices without head are passed over.
    """
    shares = {}
    for plane, all_of_them in areas.items():
        found = all_of_them[all_of_them > 0]
        if found.size:
            for face, end in zip(FACES[plane], (found[0], found[-1]), strict=True):
                shares[face] = float(end / found.max())
    return shares


def head_areas_and_mm(participant: StoredParticipant) -> tuple[dict[str, NDArray[np.float64]], float]:
    """Area of the mask in each stored slice by plane, mm^2, and side of the largest square around one, mm."""
    areas: dict[str, NDArray[np.float64]] = {}
    largest_mm = 0.0
    for plane in PLANES:
        found = []
        for entries in entries_by_slice(participant, plane):
            channels, pixel_mm = whole_slice(participant, entries)
            mask = channels[_MASK] > 0
            found.append(np.count_nonzero(mask) * pixel_mm**2)
            if mask.any():
                largest_mm = max(largest_mm, frame_of(mask).side * pixel_mm)
        areas[plane] = np.asarray(found, np.float64)
    return areas, largest_mm

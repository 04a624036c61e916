"""The slices of a part of a split: which they are, and three ways to hold their pixels."""

import os
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sct.core.errors import SctError
from sct.core.sums import RowKey
from sct.preparation.store import CHANNELS, SliceStore
from sct.slices.planes import PLANES

__all__ = ["MappedSlices", "PixelSource", "ResidentSlices", "SliceSet", "load_resident"]

_CHUNK_SLICES = 64
"""Slices copied at once: bounds the memory beside the tensor that is filled."""


@dataclass(frozen=True)
class SliceSet:
    """Slices of some participants of a store, in a fixed order.

    Attributes:
        store: Where the pixels lie.
        participant_ids: The participants, in order.
        participant: Number in `participant_ids` of each slice, int64 (N,).
        entry: Number of each slice in its participant's stored array, int64 (N,).
        plane: Index into `PLANES` of each slice, int64 (N,).
    """

    store: SliceStore
    participant_ids: tuple[str, ...]
    participant: NDArray[np.int64]
    entry: NDArray[np.int64]
    plane: NDArray[np.int64]

    @classmethod
    def of(cls, store: SliceStore, entries: Mapping[str, NDArray[np.int64]]) -> "SliceSet":
        """The given entries of each participant, participants in order of their ids."""
        ids = tuple(sorted(entries))
        chosen = [np.asarray(entries[pid], np.int64) for pid in ids]
        planes = [store.record(pid).planes[part] for pid, part in zip(ids, chosen, strict=True)]
        numbers = np.repeat(np.arange(len(ids)), [len(part) for part in chosen])
        empty = [np.zeros(0, np.int64)]
        return cls(store, ids, numbers, np.concatenate(chosen or empty), np.concatenate(planes or empty))

    def __len__(self) -> int:
        return len(self.entry)

    @property
    def size_px(self) -> int:
        """Side of the slices."""
        return int(self.store.record(self.participant_ids[0]).settings["size_px"])

    @property
    def n_bytes(self) -> int:
        """Memory that all channels of all slices need."""
        return len(self) * len(CHANNELS) * self.size_px**2

    def rows(self, *, by_slice: bool = False) -> tuple[list[RowKey], NDArray[np.int64]]:
        """Keys of the rows of sums, and the row of each slice: participant x plane, or one row per slice."""
        if by_slice:
            row_of: dict[RowKey, int] = {}  # the crops of a slice share its row
            rows: list[int] = []
            for pid, part in self.by_participant():
                indices = self.store.record(pid).indices[self.entry[part]]
                for plane, index in zip(self.plane[part], indices, strict=True):
                    rows.append(row_of.setdefault((pid, PLANES[plane], int(index)), len(row_of)))
            return list(row_of), np.asarray(rows, np.int64)
        keys: list[RowKey] = [(pid, plane) for pid in self.participant_ids for plane in PLANES]
        return keys, self.participant * len(PLANES) + self.plane

    def by_participant(self) -> list[tuple[str, slice]]:
        """Each participant and where its slices stand in this set."""
        bounds = np.searchsorted(self.participant, np.arange(len(self.participant_ids) + 1))
        return [(pid, slice(int(bounds[i]), int(bounds[i + 1]))) for i, pid in enumerate(self.participant_ids)]


class PixelSource(Protocol):
    """Holds the pixels of a `SliceSet`."""

    def gather(self, numbers: Tensor) -> Tensor:
        """Levels of the slices of these numbers, uint8 (B, 3, S, S), channels as `CHANNELS`."""


class ResidentSlices:
    """All pixels in one tensor, on the CPU or an accelerator.

    Args:
        levels: Uint8 (N, 3, S, S).
    """

    def __init__(self, levels: Tensor) -> None:
        self.levels = levels

    def gather(self, numbers: Tensor) -> Tensor:
        """Levels of the slices of these numbers (on the tensor's device), uint8 (B, 3, S, S)."""
        return self.levels.index_select(0, numbers)


def load_resident(slices: SliceSet, device: torch.device) -> ResidentSlices:
    """Copy the pixels of a set into one tensor on a device; beside it, memory for a few slices is used."""
    size = slices.size_px
    levels = torch.empty((len(slices), len(CHANNELS), size, size), dtype=torch.uint8, device=device)
    for pid, part in slices.by_participant():
        data = slices.store.participant(pid).data
        for start in range(part.start, part.stop, _CHUNK_SLICES):
            stop = min(start + _CHUNK_SLICES, part.stop)
            chunk = np.ascontiguousarray(data[:, slices.entry[start:stop]].swapaxes(0, 1))
            levels[start:stop].copy_(torch.from_numpy(chunk))
    return ResidentSlices(levels)


class MappedSlices:
    """Pixels read from the store's files when asked for; memory stays flat whatever the number of participants.

    Plain positioned reads instead of a memory map: pages of a map count as the process's memory, and each map would
    keep a file open.

    Args:
        slices: The set.
        max_open_files: Files kept open at once.
    """

    def __init__(self, slices: SliceSet, max_open_files: int = 64) -> None:
        self._slices = slices
        self._max_open_files = max_open_files
        self._open: OrderedDict[str, tuple[int, int, int]] = OrderedDict()

    def gather(self, numbers: Tensor) -> Tensor:
        """Levels of the slices of these numbers, uint8 (B, 3, S, S) on the CPU.

        Raises:
            SctError: A file of the store is gone or truncated.
        """
        wanted = numbers.numpy()
        size = self._slices.size_px
        levels = np.empty((len(wanted), len(CHANNELS), size * size), np.uint8)
        for k in np.argsort(self._slices.participant[wanted], kind="stable"):
            pid = self._slices.participant_ids[self._slices.participant[wanted[k]]]
            file, start, n_slices = self._file(pid)
            for channel in range(len(CHANNELS)):
                place = start + (channel * n_slices + int(self._slices.entry[wanted[k]])) * size * size
                if os.preadv(file, [levels[k, channel]], place) != size * size:
                    raise SctError(f"{self._slices.store.folder}: the pixels of {pid} are truncated; prepare it again")
        return torch.from_numpy(levels.reshape(len(wanted), len(CHANNELS), size, size))

    def close(self) -> None:
        """Close the files."""
        while self._open:
            os.close(self._open.popitem()[1][0])

    def _file(self, pid: str) -> tuple[int, int, int]:
        """Descriptor, place of the first pixel and number of slices of a participant's file."""
        if pid not in self._open:
            if len(self._open) >= self._max_open_files:
                os.close(self._open.popitem(last=False)[1][0])
            data = self._slices.store.participant(pid).data
            if not isinstance(data, np.memmap) or data.filename is None:
                raise TypeError(f"the store must hand out memory maps, not {type(data).__name__}")
            self._open[pid] = (os.open(Path(data.filename), os.O_RDONLY), data.offset, data.shape[1])
        self._open.move_to_end(pid)
        return self._open[pid]

    def __del__(self) -> None:
        self.close()

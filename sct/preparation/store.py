"""The slice store on disk: format, reader and writer.

A store is a folder with two files per participant:

* `<id>-<first 8 digits of its fingerprint>.npy`: uint8 array (3, n, size, size); channels `CHANNELS`; one entry of the
  second axis per slice. Read through a memory map.
* `<id>.json`: everything else, and the commit point: it is written last, atomically, and names its data file. A kill at
  any moment leaves the old pair or the new one.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.core.errors import SctError
from sct.core.files import atomic_path, read_json, write_json
from sct.slices.frame import Frame
from sct.slices.planes import PLANES

__all__ = [
    "CHANNELS",
    "Geometry",
    "ParticipantRecord",
    "SliceStore",
    "StoredParticipant",
    "update_columns",
    "write_participant",
]

CHANNELS = ("mr", "ct", "mask")
"""MR gray, CT gray (`sct.core.gray`), mask (0 or 255)."""

_INTEGER_FIELDS = ("planes", "indices", "rows", "cols", "sides")


@dataclass(frozen=True)
class Geometry:
    """The isotropic RAS+ grid that the slices were cut from.

    Attributes:
        shape: Voxels along each axis.
        affine: Array (4, 4): voxel index -> world position in mm, RAS.
        spacing_mm: Distance of neighbouring voxels.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    spacing_mm: float


@dataclass(frozen=True, kw_only=True)
class ParticipantRecord:
    """What a store says about a participant beside its pixels; n is the number of slices.

    Attributes:
        participant_id: Name of the participant.
        fingerprint: Hexadecimal digest of the input files' contents and of the settings.
        settings: Settings that the slices were made with, plain types; `size_px` among them.
        geometry: Grid of the volume.
        mr_range: MR values that became gray 0 and 255.
        planes: (n,) int64, index into `PLANES`.
        indices: (n,) int64, number of the slice in its plane's stack (`sct.slices.planes.extract`).
        rows: (n,) int64, first row of the slice's frame.
        cols: (n,) int64, first column of the slice's frame.
        sides: (n,) int64, side of the slice's frame in pixels.
        columns: The participant's row of participants.tsv.
        left_out: Slices without usable content per plane.
        left_out_reasons: The same slices per reason.
        registration: Report of the registration with its `matrix` (4 x 4, MR world -> CT world in mm) and `warnings`;
            None without registration.
    """

    participant_id: str
    fingerprint: str
    settings: dict[str, Any]
    geometry: Geometry
    mr_range: tuple[float, float]
    planes: NDArray[np.int64]
    indices: NDArray[np.int64]
    rows: NDArray[np.int64]
    cols: NDArray[np.int64]
    sides: NDArray[np.int64]
    columns: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    left_out_reasons: dict[str, int] = field(default_factory=dict)
    registration: dict[str, Any] | None = None

    @property
    def n_slices(self) -> int:
        """Number of slices."""
        return len(self.planes)

    def frame(self, index: int) -> Frame:
        """Where entry `index` was cut out of its slice."""
        return Frame(int(self.rows[index]), int(self.cols[index]), int(self.sides[index]))


@dataclass(frozen=True, kw_only=True)
class StoredParticipant(ParticipantRecord):
    """A participant of a store with its pixels.

    Attributes:
        data: Memory map (3, n, size_px, size_px) uint8; channels `CHANNELS`.
    """

    data: NDArray[np.uint8]

    def in_plane(self, plane: str) -> NDArray[np.int64]:
        """Entries of one plane, ascending."""
        return np.flatnonzero(self.planes == PLANES.index(plane))


class SliceStore:
    """Reader of a store.

    Args:
        folder: The store's folder.
        participant_ids: Restricts the store to these (a store may hold participants that a filter leaves out, or that
            the cohort no longer has); None is all.

    Attributes:
        folder: The store's folder.
        participant_ids: Sorted names.

    Raises:
        SctError: No such folder, a participant that is not in it, or an unreadable one.
    """

    def __init__(self, folder: Path, participant_ids: Iterable[str] | None = None) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise SctError(f"{folder}: no such slice store; `sct prepare` makes it")
        if participant_ids is None:
            files = self.folder.glob("*.json")
            participant_ids = [file.name.removesuffix(".json") for file in files if not file.name.startswith(".")]
        self.participant_ids = sorted(participant_ids)
        self._records = {name: _read_record(self.folder, name) for name in self.participant_ids}

    def record(self, participant_id: str) -> ParticipantRecord:
        """A participant without its pixels.

        Raises:
            SctError: It is not in the store.
        """
        if participant_id not in self._records:
            raise SctError(f"{self.folder}: has no participant {participant_id!r}; it has {len(self._records)} others")
        return self._records[participant_id][0]

    def participant(self, participant_id: str) -> StoredParticipant:
        """A participant with its pixels, memory-mapped for reading.

        Raises:
            SctError: It is not in the store, or its data file is missing, truncated or of another shape.
        """
        record = self.record(participant_id)
        path = self.folder / self._records[participant_id][1]
        size_px = record.settings["size_px"]
        expected = (len(CHANNELS), record.n_slices, size_px, size_px)
        try:
            data = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise SctError(f"{path}: missing or truncated ({error}); `sct prepare` makes it again") from error
        if data.shape != expected or data.dtype != np.uint8:
            raise SctError(
                f"{path}: holds {data.dtype} {data.shape}, not uint8 {expected}; delete it and prepare again"
            )
        values = {field.name: getattr(record, field.name) for field in fields(record)}
        return StoredParticipant(**values, data=data)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that all participants were prepared with; empty for an empty store.

        Raises:
            SctError: They differ.
        """
        settings: dict[str, Any] = {}
        for name in self.participant_ids:
            other = self.record(name).settings
            if settings and other != settings:
                key = next(key for key in sorted({*settings, *other}) if settings.get(key) != other.get(key))
                raise SctError(f"{self.folder}: {name} was prepared with another {key}; run `sct prepare` again")
            settings = other
        return settings

    def fingerprint(self, participant_ids: Iterable[str] | None = None) -> str:
        """Hexadecimal digest of the contents of these participants (all by default), in any order."""
        names = self.participant_ids if participant_ids is None else sorted(participant_ids)
        lines = [f"{name}\t{self.record(name).fingerprint}\n" for name in names]
        return sha256("".join(lines).encode()).hexdigest()


def write_participant(folder: Path, record: ParticipantRecord, batches: Iterable[NDArray[np.uint8]]) -> None:
    """Write a participant, replacing an older one of the same name.

    Plain writes, not a memory map: on a full disk those raise an error, a map kills the process.

    Args:
        folder: The store's folder; made when missing.
        record: Everything but the pixels.
        batches: Arrays (3, k, size_px, size_px) uint8 in the order of the record's slices, any k.

    Raises:
        SctError: A file cannot be written (full disk); the older participant, if any, is kept.
        ValueError: The batches do not hold the record's number of slices.
    """
    folder, name = Path(folder), record.participant_id
    size_px = record.settings["size_px"]
    shape = (len(CHANNELS), record.n_slices, size_px, size_px)
    data_file = f"{name}-{record.fingerprint[:8]}.npy"
    with atomic_path(folder / data_file) as temporary, temporary.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        start, done = file.tell(), 0
        for batch in batches:
            if batch.dtype != np.uint8 or (batch.shape[0], *batch.shape[2:]) != (len(CHANNELS), size_px, size_px):
                raise ValueError(f"a batch is {batch.dtype} {batch.shape}, not uint8 (3, k, {size_px}, {size_px})")
            for channel, images in enumerate(batch):
                file.seek(start + (channel * record.n_slices + done) * size_px * size_px)
                file.write(np.ascontiguousarray(images).data)
            done += batch.shape[1]
        if done != record.n_slices:
            raise ValueError(f"{name}: {done} slices came for {record.n_slices}")
    write_json(folder / f"{name}.json", {"data": data_file, **_to_plain(record)})
    superseded = re.compile(re.escape(name) + r"-[0-9a-f]{8}\.npy")
    for file_path in folder.iterdir():
        if superseded.fullmatch(file_path.name) and file_path.name != data_file:
            file_path.unlink(missing_ok=True)


def update_columns(folder: Path, participant_id: str, columns: Mapping[str, str]) -> None:
    """Give a stored participant another row of participants.tsv; its slices stay.

    Raises:
        SctError: The file cannot be read or written.
    """
    path = Path(folder) / f"{participant_id}.json"
    write_json(path, read_json(path) | {"columns": dict(columns)})


def _to_plain(record: ParticipantRecord) -> dict[str, Any]:
    plain = {item.name: getattr(record, item.name) for item in fields(ParticipantRecord)}
    geometry = record.geometry
    plain["geometry"] = {
        "shape": list(geometry.shape),
        "affine": geometry.affine.tolist(),
        "spacing_mm": geometry.spacing_mm,
    }
    plain["mr_range"] = list(record.mr_range)
    return plain | {name: plain[name].tolist() for name in _INTEGER_FIELDS}


def _read_record(folder: Path, participant_id: str) -> tuple[ParticipantRecord, str]:
    path = folder / f"{participant_id}.json"
    plain = read_json(path)
    try:
        data_file = str(plain.pop("data"))
        geometry = plain["geometry"]
        x, y, z = geometry["shape"]
        plain["geometry"] = Geometry((x, y, z), np.asarray(geometry["affine"], np.float64), geometry["spacing_mm"])
        low, high = plain["mr_range"]
        plain["mr_range"] = (low, high)
        record = ParticipantRecord(**plain | {name: np.asarray(plain[name], np.int64) for name in _INTEGER_FIELDS})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SctError(f"{path}: not a participant of a slice store ({error}); run `sct prepare` again") from error
    return record, data_file

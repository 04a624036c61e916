"""What a participant's slices depend on, in one number: the contents of its files and the settings."""

import json
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from sct.cohorts.cohort import Participant
from sct.core.errors import SctError
from sct.core.files import file_sha256
from sct.geometry.landmarks import MARKUPS_SUFFIXES
from sct.preparation.settings import PrepareSettings

__all__ = ["fingerprint_of"]

# Headers that keep their voxels in another file: MetaImage and NRRD.
_DATA_FILE = re.compile(rb"^\s*(?:ElementDataFile\s*=|data ?file\s*:)\s*(.+?)\s*$", re.IGNORECASE | re.MULTILINE)


def fingerprint_of(participant: Participant, settings: PrepareSettings) -> str:
    """Hexadecimal digest of everything that decides a participant's slices.

    File contents are read, not dates: a copy of a cohort is up to date, and an edit that keeps size and date is seen.

    Raises:
        SctError: A file cannot be read.
    """
    digest = sha256(json.dumps(settings.to_plain(), sort_keys=True).encode())
    for role, path in _inputs(participant, settings):
        for file in _files(path):
            digest.update(f"\n{role}\n{file.name}\n{file_sha256(file)}".encode())
    return digest.hexdigest()


def _inputs(participant: Participant, settings: PrepareSettings) -> Iterator[tuple[str, Path]]:
    yield "mr", participant.mr
    yield "ct", participant.ct
    if settings.mask == "file" and participant.mask is not None:
        yield "mask", participant.mask
    if settings.registration != "none" and participant.landmarks is not None:
        yield "landmarks", participant.landmarks
        for suffix in MARKUPS_SUFFIXES:  # the MR's have the CT's beside them
            beside = participant.landmarks.with_name(f"ct{suffix}")
            if beside.is_file():
                yield "landmarks", beside


def _files(path: Path) -> Iterator[Path]:
    """The files of a volume: a DICOM folder's in order of their names, a header's data file beside it."""
    if path.is_dir():
        yield from sorted(file for file in path.rglob("*") if file.is_file())
        return
    yield path
    if path.suffix.lower() in {".mhd", ".nrrd"}:
        try:
            with path.open("rb") as file:
                found = _DATA_FILE.search(file.read(1 << 16))
        except OSError as error:
            raise SctError(f"{path}: cannot be read ({error.strerror or error})") from error
        beside = path.parent / found.group(1).decode(errors="replace") if found else path
        if beside != path and beside.is_file():
            yield beside

"""A cohort: the participants of a folder and where their volumes are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sct.cohorts.filters import select
from sct.cohorts.layouts import PARTICIPANTS_FILE, find_landmarks, find_volume, paired_folders
from sct.cohorts.table import ID_COLUMN, check_participant_id, read_participants
from sct.core.errors import SctError
from sct.io.volumes import VOLUME_SUFFIXES

__all__ = ["Cohort", "Participant", "read_cohort"]


@dataclass(frozen=True)
class Participant:
    """One person's pair of scans.

    Attributes:
        participant_id: Name of the folder within the cohort.
        mr: Volume file of the bone MRI.
        ct: Volume file of the CT.
        mask: Volume file of a given body mask, if any.
        landmarks: landmarks.tsv, or the MR's 3D Slicer markups (`mr.mrk.json`, `mr.fcsv`; the CT's beside), if any.
        columns: Cells of participants.tsv by column; missing ones left out.
    """

    participant_id: str
    mr: Path
    ct: Path
    mask: Path | None = None
    landmarks: Path | None = None
    columns: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cohort:
    """The participants that a run works on.

    Attributes:
        name: Part of the run folders' paths.
        root: The cohort folder.
        participants: In the order of participants.tsv, else sorted by id.
        left_out: Why a participant without its files is not among them, by id; only where that was asked for.
    """

    name: str
    root: Path
    participants: list[Participant]
    left_out: dict[str, str] = field(default_factory=dict)


def read_cohort(
    root: Path, name: str | None = None, where: Mapping[str, Any] | None = None, skip_missing: bool = False
) -> Cohort:
    """Read who is in a cohort folder; volumes are located, not opened.

    Args:
        root: Folder with participants.tsv, or with `<id>/{mr,ct}` folders only (the SynthRAD layout).
        name: Name of the cohort; the folder's by default.
        where: Condition by column, as `sct.cohorts.filters.select` says; all participants by default.
        skip_missing: Leave participants without MR or CT out and say so in `left_out`, instead of refusing.

    Raises:
        SctError: The folder is missing or no cohort, the table is wrong, the filter fits nobody, or files are missing.
    """
    root = Path(root)
    if not root.is_dir():
        raise SctError(f"{root}: {'not a folder' if root.exists() else 'no such folder'}; a cohort folder was expected")
    columns, table = _table(root)
    if where:
        everything = {participant_id: {ID_COLUMN: participant_id, **cells} for participant_id, cells in table.items()}
        origin = root / PARTICIPANTS_FILE
        chosen = select(everything, [ID_COLUMN, *columns], where, str(origin if origin.is_file() else root))
        table = {participant_id: table[participant_id] for participant_id in chosen}

    participants: list[Participant] = []
    missing: dict[str, str] = {}
    for participant_id, cells in table.items():
        folder = root / participant_id
        try:
            mr, ct, mask = (find_volume(folder, stem) for stem in ("mr", "ct", "mask"))
        except SctError as error:
            missing[participant_id] = str(error)
            continue
        if mr is None or ct is None:
            lacking = [stem for stem, path in (("mr", mr), ("ct", ct)) if path is None]
            missing[participant_id] = f"no {' and no '.join(lacking)}" if folder.is_dir() else "no folder"
            continue
        participants.append(
            Participant(
                participant_id=participant_id,
                mr=mr,
                ct=ct,
                mask=mask,
                landmarks=find_landmarks(folder),
                columns=dict(cells),
            )
        )
    if missing and (not skip_missing or not participants):
        names = "; ".join(f"{participant_id}: {what}" for participant_id, what in missing.items())
        raise SctError(
            f"{root}: missing volumes: {names} (<participant_id>/mr and ct with {' '.join(VOLUME_SUFFIXES)})"
        )
    return Cohort(name or root.resolve().name, root, participants, missing)


def _table(root: Path) -> tuple[list[str], dict[str, dict[str, str]]]:
    """Columns and cells of participants.tsv, or the paired folders without any columns."""
    if (root / PARTICIPANTS_FILE).exists():
        return read_participants(root / PARTICIPANTS_FILE)
    names = paired_folders(root)
    if not names:
        raise SctError(
            f"{root}: neither {PARTICIPANTS_FILE} nor a folder <id>/mr and ct with {' '.join(VOLUME_SUFFIXES)}; "
            "a cohort folder was expected"
        )
    for participant_id in names:
        check_participant_id(participant_id, str(root))
    return [], {participant_id: {} for participant_id in names}

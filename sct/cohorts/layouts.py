"""Where a participant's files lie in a cohort folder."""

from pathlib import Path

from sct.core.errors import SctError
from sct.geometry.landmarks import MARKUPS_SUFFIXES
from sct.io.volumes import VOLUME_SUFFIXES

__all__ = ["LANDMARKS_FILE", "PARTICIPANTS_FILE", "find_landmarks", "find_volume", "paired_folders"]

PARTICIPANTS_FILE = "participants.tsv"
LANDMARKS_FILE = "landmarks.tsv"


def find_volume(folder: Path, stem: str) -> Path | None:
    """The volume file `<stem><suffix>` in a participant's folder; None when there is none.

    Raises:
        SctError: More than one file fits, so which one is meant is unknown.
    """
    found = [folder / f"{stem}{suffix}" for suffix in VOLUME_SUFFIXES if (folder / f"{stem}{suffix}").is_file()]
    if len(found) > 1:
        raise SctError(f"{folder}: more than one {stem} volume ({', '.join(p.name for p in found)}); keep one")
    return found[0] if found else None


def find_landmarks(folder: Path) -> Path | None:
    """landmarks.tsv of a participant, or 3D Slicer's markups of the MR (the CT's lie beside it); None without any."""
    names = [LANDMARKS_FILE, *(f"mr{suffix}" for suffix in MARKUPS_SUFFIXES)]
    return next((folder / name for name in names if (folder / name).is_file()), None)


def paired_folders(root: Path) -> list[str]:
    """Names, sorted, of the folders in `root` with an MR or a CT: the SynthRAD layout, which has no table.

    Other folders (SynthRAD's `overview`) and hidden ones are passed over. Empty when there are none.
    """
    return sorted(
        folder.name
        for folder in root.iterdir()
        if folder.is_dir()
        and not folder.name.startswith(".")
        and any(find_volume(folder, stem) for stem in ("mr", "ct"))
    )

"""Cells: one training each, and where it lives on disk.

A cell is cohort x experiment x model x loss x seed x fold. Its run folder is always five levels below the cohort's:
`runs/<cohort>/<experiment>/<model>/<loss>/seed-<s>/fold-<k>/`.
"""

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from sct.core.errors import SctError
from sct.study.claims import claim_is_alive

__all__ = ["Cell", "CellState", "failure_line", "state_of"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=,-]*")


class CellState(Enum):
    """What a run folder says of its cell."""

    DONE = "done"
    RUNNING = "running"
    FAILED = "failed"
    MISSING = "missing"


@dataclass(frozen=True, order=True)
class Cell:
    """One training, or one fitting of a classical baseline (`loss` is then "none", `seed` 0).

    Raises:
        SctError: A name cannot be a folder (path parts, leading dot, blanks).
    """

    cohort: str
    experiment: str
    model: str
    loss: str
    seed: int
    fold: int

    def __post_init__(self) -> None:
        for key in ("cohort", "experiment", "model", "loss"):
            name = getattr(self, key)
            if not _NAME.fullmatch(name):
                raise SctError(
                    f"{key}.name={name!r}: use letters, digits and . _ - only, since it names a folder; "
                    f"{key}.name=... gives another"
                )

    @property
    def label(self) -> str:
        """Short name for progress and error lines."""
        return f"{self.model}/{self.loss}/seed-{self.seed}/fold-{self.fold}"

    def folder(self, runs: Path) -> Path:
        """The run folder under `runs`."""
        return self.seed_folder(runs) / f"fold-{self.fold}"

    def seed_folder(self, runs: Path) -> Path:
        """The folder that holds all folds of this seed."""
        return Path(runs) / self.cohort / self.experiment / self.model / self.loss / f"seed-{self.seed}"


def state_of(folder: Path) -> CellState:
    """State of the cell in a run folder; `metrics.json`, written last, makes it done.

    An interrupted cell that nobody is working on counts as missing: it goes on when it is run again.
    """
    if (folder / "metrics.json").exists():
        return CellState.DONE
    if claim_is_alive(folder):
        return CellState.RUNNING
    if (folder / "error.txt").exists():
        return CellState.FAILED
    return CellState.MISSING


def failure_line(folder: Path) -> str:
    """Last line of the error that ended a failed cell; empty when there is none."""
    try:
        lines = (folder / "error.txt").read_text(encoding="utf-8").strip().splitlines()
    except FileNotFoundError:
        return ""
    return lines[-1] if lines else ""

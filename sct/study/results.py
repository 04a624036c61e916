"""What a study found: repetitions of rows, and rows of a study."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sct.core.gray import Window
from sct.core.statistics import Interval, mean_interval
from sct.study.cells import Cell

__all__ = ["ParticipantFigures", "Row", "SeedResult", "Study", "window_of"]

ParticipantFigures = dict[str, float | None]
"""The scalar figures of one participant, `mae_hu_by_tissue` among them as `mae_hu_air` and so on."""


@dataclass(frozen=True, eq=False)
class SeedResult:
    """One repetition of a cross-validation.

    Attributes:
        seed: Its seed.
        folds: The folds that were found, in order.
        figures: As `sct.core.sums.figures`, over all test slices of these folds.
        participants: Figures of each participant by participant_id.
    """

    seed: int
    folds: tuple[int, ...]
    figures: Mapping[str, Any]
    participants: Mapping[str, ParticipantFigures]


@dataclass(frozen=True, eq=False)
class Row:
    """All repetitions of one model and loss (a classical baseline has the loss `none` and one repetition)."""

    experiment: str
    model: str
    loss: str
    seeds: tuple[SeedResult, ...]

    def interval(self, key: str) -> Interval | None:
        """Mean and 95 % CI over seeds of a figure; None where a seed's value is undefined."""
        values = [seed.figures[key] for seed in self.seeds]
        return None if any(value is None for value in values) else mean_interval(values)

    @property
    def participant_ids(self) -> list[str]:
        """Everybody who was tested, in order."""
        return sorted({name for seed in self.seeds for name in seed.participants})

    @property
    def n_slices(self) -> int:
        """Test slices of one repetition (the largest, where repetitions are incomplete)."""
        return max((int(seed.figures["n_slices"]) for seed in self.seeds), default=0)

    @property
    def n_folds(self) -> int:
        """Number of different folds found."""
        return len({fold for seed in self.seeds for fold in seed.folds})

    def of_participants(self, key: str) -> dict[str, float]:
        """A figure of each participant: the mean over the seeds; participants with an undefined value are left out."""
        found: dict[str, float] = {}
        for name in self.participant_ids:
            values = [seed.participants[name][key] for seed in self.seeds if name in seed.participants]
            defined = [value for value in values if value is not None]
            if len(defined) == len(values):
                found[name] = sum(defined) / len(defined)
        return found


@dataclass(frozen=True)
class Study:
    """What was read.

    Attributes:
        cohort: Name of the cohort.
        rows: The paper's order within each experiment.
        missing: Expected cells that are not done.
        config: Resolved configuration of the first cell.
        scope: "frame" (all pixels) or "mask".
        average: "pixels", "participants" or "slices".
        versions: The different contents of the cells' versions.json.
    """

    cohort: str
    rows: tuple[Row, ...]
    missing: tuple[Cell, ...]
    config: Mapping[str, Any]
    scope: str = "frame"
    average: str = "pixels"
    versions: tuple[Mapping[str, str], ...] = ()

    @property
    def window(self) -> Window:
        """The CT window of the gray scale."""
        return window_of(self.config)

    @property
    def is_phantom(self) -> bool:
        """Whether the heads are procedural phantoms."""
        return bool(self.config["cohort"].get("phantom"))


def window_of(config: Mapping[str, Any]) -> Window:
    """The CT window of a configuration."""
    window = config.get("prepare", {}).get("window") or {}
    return Window(**{key: float(window[key]) for key in ("level_hu", "width_hu") if key in window})

"""What a study found: repetitions of rows, and rows of a study."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sct.core.gray import Window
from sct.core.statistics import Interval, mean_interval
from sct.study.cells import Cell
from sct.study.paper import title_of_loss, title_of_model

__all__ = ["ParticipantFigures", "Row", "SeedResult", "Study", "row_title", "window_of"]

ParticipantFigures = dict[str, float | None]
"""The scalar figures of one participant, `mae_hu_by_tissue` among them as `mae_hu_air` and so on."""


@dataclass(frozen=True, eq=False)
class SeedResult:
    """One repetition of a cross-validation.

    Attributes:
        seed: Its seed.
        folds: Its folds, in order.
        figures: As `sct.core.sums.figures`, over all test slices of these folds.
        participants: Figures of each participant by participant_id.
    """

    seed: int
    folds: tuple[int, ...]
    figures: Mapping[str, Any]
    participants: Mapping[str, ParticipantFigures]


@dataclass(frozen=True, eq=False)
class Row:
    """All repetitions of one model and loss (a classical baseline has the loss `none` and one repetition).

    Attributes:
        experiment: Name of the experiment.
        model: Name of the model.
        loss: Name of the loss.
        seeds: The repetitions that have every expected fold: all of them were tested on the same people.
        incomplete: The other expected repetitions, which count nowhere: seed -> the folds that were found.
    """

    experiment: str
    model: str
    loss: str
    seeds: tuple[SeedResult, ...]
    incomplete: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    def interval(self, key: str) -> Interval | None:
        """Mean and 95 % CI over seeds of a figure; None where a seed's value is undefined, or there is no seed."""
        values = [seed.figures[key] for seed in self.seeds]
        return None if any(value is None for value in values) else mean_interval(values)

    @property
    def participant_ids(self) -> list[str]:
        """Everybody whom one repetition tests, in order."""
        return sorted(self.seeds[0].participants) if self.seeds else []

    @property
    def n_slices(self) -> int:
        """Test slices of one repetition."""
        return int(self.seeds[0].figures["n_slices"]) if self.seeds else 0

    @property
    def n_folds(self) -> int:
        """Folds of one repetition."""
        return len(self.seeds[0].folds) if self.seeds else 0

    def of_participants(self, key: str) -> dict[str, float]:
        """A figure of each participant: the mean over the seeds; participants with an undefined value are left out."""
        found: dict[str, float] = {}
        for name in self.participant_ids:
            values = [seed.participants[name][key] for seed in self.seeds]
            defined = [value for value in values if value is not None]
            if len(defined) == len(values):
                found[name] = sum(defined) / len(defined)
        return found


_SCOPE_TITLES = {"frame": "all pixels of the frame", "mask": "pixels inside the body mask"}
_AVERAGE_TITLES = {
    "pixels": "pooled over all folds of a seed",
    "participants": "mean of the participants' values",
    "slices": "mean of the slices' values",
}


def row_title(row: Row) -> str:
    """What a row is called in a line of text: its model, and its loss where it has one."""
    model = title_of_model(row.model)
    return model if row.loss == "none" else f"{model}, {title_of_loss(row.loss)}"


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
    def is_papers_reading(self) -> bool:
        """Whether the figures are read as the paper's: the whole frame, pooled over pixels."""
        return (self.scope, self.average) == ("frame", "pixels")

    @property
    def reading(self) -> str:
        """Which pixels count and how they are averaged, in a sentence for print."""
        sentence = f"Figures: {_SCOPE_TITLES[self.scope]}, {_AVERAGE_TITLES[self.average]}"
        if not self.is_papers_reading:
            sentence += "; not the paper's reading (all pixels of the frame, pooled), whose figures are left out"
        return f"{sentence} (summary.scope={self.scope}, summary.average={self.average})."

    @property
    def is_phantom(self) -> bool:
        """Whether the heads are procedural phantoms."""
        return bool(self.config["cohort"].get("phantom"))


def window_of(config: Mapping[str, Any]) -> Window:
    """The CT window of a configuration."""
    window = config.get("prepare", {}).get("window") or {}
    return Window(**{key: float(window[key]) for key in ("level_hu", "width_hu") if key in window})

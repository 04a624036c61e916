"""Who trains, who validates and who is tested.

Source: Bambach & Ho 2022, Methods: patient-level 4-fold cross-validation; a random 15 % of the training slices is the
validation set; generalizability by hospital, vendor and technique (conditions baseline, separate and augmented).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sct.core.errors import SctError
from sct.training.randomness import derive_seed

__all__ = ["Condition", "FoldPlan", "Split", "fold_of"]

Condition = Literal["all", "baseline", "separate", "augmented"]
Slices = dict[str, NDArray[np.int64]]
"""Slice numbers in the participant's stored array, ascending, by participant_id."""


@dataclass(frozen=True)
class Split:
    """Slices of training, validation and test, by participant. Nobody is both in `test` and in one of the others."""

    train: Slices
    val: Slices
    test: Slices

    def to_json(self) -> dict[str, Any]:
        """Participants and slice counts of the three parts, as split.json keeps them."""
        parts = {"train": self.train, "val": self.val, "test": self.test}
        return {name: {pid: len(slices) for pid, slices in part.items()} for name, part in parts.items()}


def fold_of(participant_ids: Iterable[str], n_folds: int = 4, fold_seed: int = 0) -> dict[str, int]:
    """The fold in which each participant is tested; sizes differ by one at most.

    Participants are ranked by a hash of `fold_seed` and id, so neither their order nor a library's version matters.

    Raises:
        SctError: Fewer than two folds, fewer participants than folds, or an id that is there twice.
    """
    ids = list(participant_ids)
    if n_folds < 2:
        raise SctError(f"data.n_folds={n_folds}: cross-validation needs at least 2 folds")
    if len(set(ids)) < len(ids):
        raise SctError("a participant_id is there twice; ids must be unique")
    if len(ids) < n_folds:
        raise SctError(f"data.n_folds={n_folds}: only {len(ids)} participants; at least one per fold is needed")
    ranked = sorted(ids, key=lambda pid: (derive_seed(fold_seed, "fold", pid), pid))
    return {pid: rank % n_folds for rank, pid in enumerate(ranked)}


@dataclass(frozen=True)
class FoldPlan:
    """How a cohort is split.

    Attributes:
        n_folds: Folds of the cross-validation.
        fold_seed: Draws the folds; apart from the run's seed, so that all seeds share them.
        val_fraction: Share of the training slices (or participants) for validation, inside (0, 1); 0.15 in the paper.
        val_unit: `slice` draws single slices as the paper did; `participant` draws whole participants (stricter).
        condition: `all` cross-validates everyone. By `column` and `value`: `baseline` cross-validates inside the
            subset; `separate` trains on all others and tests on the whole subset (one fold, number 0); `augmented` has
            the folds of baseline with all others added to training. Who has no value there is left out.
        column: A column of participants.tsv.
        value: The subset's value there.
    """

    n_folds: int = 4
    fold_seed: int = 0
    val_fraction: float = 0.15
    val_unit: Literal["slice", "participant"] = "slice"
    condition: Condition = "all"
    column: str | None = None
    value: str | None = None

    def __post_init__(self) -> None:
        for key in ("n_folds", "fold_seed"):
            if not isinstance(getattr(self, key), int):
                raise SctError(f"data.{key}={getattr(self, key)}: must be a whole number")
        if not isinstance(self.val_fraction, int | float) or not 0 < self.val_fraction < 1:
            raise SctError(f"data.val_fraction={self.val_fraction}: must be inside (0, 1)")
        if self.val_unit not in ("slice", "participant"):
            raise SctError(f"data.val_unit={self.val_unit}: must be slice or participant")
        if self.condition not in ("all", "baseline", "separate", "augmented"):
            raise SctError(f"experiment.condition={self.condition}: must be all, baseline, separate or augmented")
        if self.condition != "all" and (self.column is None or self.value is None):
            raise SctError(f"experiment.condition={self.condition}: needs a column of participants.tsv and its value")

    @property
    def folds(self) -> tuple[int, ...]:
        """Numbers of the folds there are to run."""
        return (0,) if self.condition == "separate" else tuple(range(self.n_folds))

    def participants(self, columns: Mapping[str, Mapping[str, str]], fold: int) -> tuple[list[str], list[str]]:
        """Participants to learn from (training and validation) and to test, each in order.

        Args:
            columns: participant_id -> columns of participants.tsv.
            fold: One of `folds`.

        Raises:
            SctError: The fold, column or value is not there, or there are too few participants.
        """
        if fold not in self.folds:
            raise SctError(f"fold={fold}: must be one of {list(self.folds)}")
        members, others = self._subset(columns)
        if self.condition == "separate":
            test, learn = members, others
        else:
            try:
                folds = fold_of(members, self.n_folds, self.fold_seed)
            except SctError as error:
                raise SctError(f"{self.column}={self.value}: {error}" if others else str(error)) from error
            test = [pid for pid in members if folds[pid] == fold]
            learn = [pid for pid in members if folds[pid] != fold]
            learn += others if self.condition == "augmented" else []
        if not learn or not test:
            raise SctError(f"{self.column}={self.value}: {len(learn)} participants to train on, {len(test)} to test on")
        return sorted(learn), sorted(test)

    def split(
        self, n_slices: Mapping[str, int], columns: Mapping[str, Mapping[str, str]], fold: int, seed: int
    ) -> Split:
        """Slices of one fold.

        Args:
            n_slices: Stored slices of each participant.
            columns: participant_id -> columns of participants.tsv, of the same participants.
            fold: One of `folds`.
            seed: The run's seed; the validation slices are drawn from (seed, fold).

        Raises:
            SctError: As `participants`; or a part would have no slice.
        """
        learn, test = self.participants(columns, fold)
        rng = np.random.default_rng(derive_seed(seed, "validation", fold))
        if self.val_unit == "participant":
            chosen = set(rng.permutation(learn)[: max(1, round(self.val_fraction * len(learn)))])
            train = {pid: np.arange(n_slices[pid]) for pid in learn if pid not in chosen}
            val = {pid: np.arange(n_slices[pid]) for pid in learn if pid in chosen}
        else:
            total = sum(n_slices[pid] for pid in learn)
            is_val = np.zeros(total, bool)
            is_val[rng.permutation(total)[: max(1, round(self.val_fraction * total))]] = True
            ends = np.cumsum([n_slices[pid] for pid in learn])[:-1]
            parts = dict(zip(learn, np.split(is_val, ends), strict=True))
            train = {pid: np.flatnonzero(~part) for pid, part in parts.items()}
            val = {pid: np.flatnonzero(part) for pid, part in parts.items() if part.any()}
        split = Split(train, val, {pid: np.arange(n_slices[pid]) for pid in test})
        for name, part in (("training", split.train), ("validation", split.val), ("test", split.test)):
            if not sum(map(len, part.values())):
                raise SctError(
                    f"fold {fold}: no slice for {name} ({len(learn)} participants to learn from); bring more"
                )
        return split

    def _subset(self, columns: Mapping[str, Mapping[str, str]]) -> tuple[list[str], list[str]]:
        """Participants inside and outside of the subset, in order."""
        ids = sorted(columns)
        if self.condition == "all":
            return ids, []
        known = sorted({name for row in columns.values() for name in row})
        if self.column not in known:
            there = ", ".join(known) or "none"
            raise SctError(f"experiment.column={self.column}: not in participants.tsv; there are {there}")
        members = [pid for pid in ids if str(columns[pid].get(self.column, "")) == str(self.value)]
        # whoever has no value there might be of the subset, and learn what is to be tested
        others = [pid for pid in ids if pid not in set(members) and str(columns[pid].get(self.column, ""))]
        if not members:
            there = ", ".join(sorted({str(row.get(self.column, "")) for row in columns.values()}))
            raise SctError(f"experiment.value={self.value}: no participant has it in {self.column}; there are {there}")
        return members, others

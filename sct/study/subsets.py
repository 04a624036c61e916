"""Names of generalizability experiments: `<column>-<value>-<condition>`."""

from dataclasses import dataclass

__all__ = ["CONDITIONS", "Subset", "subset_of"]

CONDITIONS = ("baseline", "separate", "augmented")


@dataclass(frozen=True, order=True)
class Subset:
    """What an experiment's name says: participants whose `column` is `value`, under a condition."""

    column: str
    value: str
    condition: str


def subset_of(experiment: str) -> Subset | None:
    """The parts of a generalizability experiment's name; None for any other name."""
    column, _, rest = experiment.partition("-")
    value, _, condition = rest.rpartition("-")
    return Subset(column, value, condition) if condition in CONDITIONS and column and value else None

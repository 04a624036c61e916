"""Who is in the configured cohort, also before a phantom is made."""

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

from sct.core.errors import SctError

if TYPE_CHECKING:
    from omegaconf import DictConfig

__all__ = ["participant_rows", "values_of_column"]


def values_of_column(config: "DictConfig", column: str) -> list[str]:
    """The different values of a column of participants.tsv, in order; of a phantom not made yet, by its settings.

    Raises:
        SctError: No cohort folder; no such column.
    """
    rows = participant_rows(config)
    known = sorted({name for row in rows for name in row})
    if column not in known:
        near = difflib.get_close_matches(column, known, n=1) or known or ["none"]
        raise SctError(f"experiment.column={column}: not in participants.tsv; did you mean {' or '.join(near)}?")
    return sorted({row[column] for row in rows if row.get(column)})


def participant_rows(config: "DictConfig") -> list[dict[str, str]]:
    """The columns of each participant that the configuration chooses; of a phantom not made yet, by its settings.

    Raises:
        SctError: No cohort folder.
    """
    from omegaconf import OmegaConf

    from sct.cohorts.cohort import read_cohort
    from sct.cohorts.filters import select

    root, phantom = Path(config.cohort.root), config.cohort.get("phantom")
    where = OmegaConf.to_container(config.cohort.where, resolve=True) if config.cohort.get("where") else {}
    assert isinstance(where, dict)
    conditions = {str(key): value for key, value in where.items()}
    if phantom and not root.is_dir():
        table = _phantom_table(phantom)
        chosen = select(table, sorted(next(iter(table.values()))), conditions, f"cohort={config.cohort.name}")
        return [table[name] for name in chosen]
    return [participant.columns for participant in read_cohort(root, where=conditions).participants]


def _phantom_table(phantom: "DictConfig") -> dict[str, dict[str, str]]:
    from sct.head_phantom.presets import participant_columns, participant_id
    from sct.head_phantom.settings import PhantomSettings

    settings = PhantomSettings(**{str(key): value for key, value in phantom.items()})
    return {participant_id(index): participant_columns(settings, index) for index in range(settings.participants)}

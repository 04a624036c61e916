"""Who is in the configured cohort, told before a phantom is made or a volume is read."""

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sct.core.errors import SctError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from sct.head_phantom.settings import PhantomSettings

__all__ = ["participant_rows", "values_of_column"]


def values_of_column(config: "DictConfig", column: str) -> list[str]:
    """The different values of a column of participants.tsv, in order; of a phantom, by its settings.

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
    """The columns of each participant that the configuration chooses; of a phantom, by its settings.

    Raises:
        SctError: No cohort folder.
    """
    from omegaconf import OmegaConf

    from sct.cohorts.cohort import read_cohort
    from sct.cohorts.filters import select
    from sct.preparation.ensure import phantom_settings

    cohort: Any = OmegaConf.to_container(config.cohort, resolve=True)
    where = cohort.get("where") or {}
    if cohort.get("phantom"):
        table = _phantom_table(phantom_settings(cohort))
        chosen = select(table, list(next(iter(table.values()))), where, f"cohort={config.cohort.name}")
        return [table[name] for name in chosen]
    found = read_cohort(Path(config.cohort.root), where=where, skip_missing=config.prepare.on_error == "skip")
    return [participant.columns for participant in found.participants]


def _phantom_table(settings: "PhantomSettings") -> dict[str, dict[str, str]]:
    from sct.head_phantom.presets import participant_columns, participant_id

    names = {participant_id(index): index for index in range(settings.participants)}
    return {name: {"participant_id": name, **participant_columns(settings, k)} for name, k in names.items()}

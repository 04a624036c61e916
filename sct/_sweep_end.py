"""What a sweep says at its end when cells are left."""

from pathlib import Path
from typing import TYPE_CHECKING

from sct.core.errors import SctError

if TYPE_CHECKING:
    from sct._sweep import Plan

__all__ = ["check_all_done"]


def check_all_done(plan: "Plan", trouble: str = "") -> None:
    """Print the ledger, and end in an error unless every cell of the sweep is done.

    Args:
        plan: The cells.
        trouble: What went wrong beside what the run folders tell; empty for nothing.

    Raises:
        SctError: Cells are not done; the line counts them and has up to three different errors.
    """
    from sct.study.ledger import ledger_text, read_ledger

    ledger = read_ledger([planned.cell for planned in plan.cells], Path(plan.config.runs))
    print(ledger_text(ledger))
    if ledger.is_complete:
        return
    n_left = sum(state.value != "done" for state in ledger.states.values())
    lines = list(dict.fromkeys(filter(None, ledger.errors.values())))[:3]
    if any(line in trouble for line in lines):
        trouble = ""
    reasons = "; ".join(filter(None, [trouble, *lines])) or "other processes are at them"
    raise SctError(
        f"{n_left} of {len(ledger.states)} cells are not done, the same command tries them again ({reasons})"
    )

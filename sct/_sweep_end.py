"""What a sweep says at its end when cells are left."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sct.core.errors import SctError

if TYPE_CHECKING:
    from sct._sweep import Plan

__all__ = ["check_all_done"]


def check_all_done(plan: "Plan", trouble: str = "", always_shown: bool = False) -> bool:
    """Print the ledger unless every cell of the sweep is done, and end in an error unless others are at those left.

    Args:
        plan: The cells.
        trouble: What went wrong beside what the run folders tell; empty for nothing.
        always_shown: Whether the ledger is printed also when all cells are done.

    Returns:
        Whether all cells are done; if not, other processes are at those left.

    Raises:
        SctError: Cells failed or are missing; the line counts them and has up to three different errors.
    """
    from sct.study.cells import CellState
    from sct.study.ledger import ledger_text, read_ledger

    ledger = read_ledger([planned.cell for planned in plan.cells], Path(plan.config.runs))
    if always_shown or not ledger.is_complete:
        print(ledger_text(ledger))
    if ledger.is_complete:
        return True
    # after trouble, a claim may be that of a process that has just died on another machine
    left = (CellState.FAILED, CellState.MISSING, *([CellState.RUNNING] if trouble else []))
    n_left = len(ledger.cells(*left))
    if n_left == 0:
        print("other processes are at the cells that are left; sct.ledger tells when they are done", file=sys.stderr)
        return False
    lines = list(dict.fromkeys(filter(None, ledger.errors.values())))[:3]
    if any(line in trouble for line in lines):
        trouble = ""
    reasons = "; ".join(filter(None, [trouble, *lines])) or "their processes are gone"
    raise SctError(
        f"{n_left} of {len(ledger.states)} cells are not done, the same command tries them again ({reasons})"
    )

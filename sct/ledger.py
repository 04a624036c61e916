"""Which cells are done, running, failed, missing: `python -m sct.ledger experiment=table`, with the words of sct.run.

Exit code 0 when every cell is done, 3 when some are not; 1 and 2 are errors, as at every door.
"""

import sys
from collections.abc import Sequence

__all__ = ["main", "show_ledger"]

INCOMPLETE = 3


def main() -> None:
    """Parse the command line and show the ledger."""
    from sct._sweep import words_door

    words_door(show_ledger, "ledger")


def show_ledger(arguments: Sequence[str]) -> None:
    """Print the states of the cells that the words name, and the command that makes those not done.

    Raises:
        SctError: A mistake in the words; the cohort has no participants for missing cells.
        SystemExit: Code 3, when a cell is not done.
    """
    from pathlib import Path

    from sct._preflight import check_participants
    from sct._sweep import command_for, plan_cells
    from sct.study.cells import CellState
    from sct.study.ledger import ledger_text, read_ledger

    plan = plan_cells(arguments, "ledger")
    ledger = read_ledger([planned.cell for planned in plan.cells], Path(plan.config.runs))
    print(ledger_text(ledger))
    if ledger.is_complete:
        return
    open_cells = ledger.cells(CellState.FAILED, CellState.MISSING)
    if open_cells:
        if plan.config.experiment.condition is not None:  # no command for cells that cannot be made
            check_participants(plan.config, [planned.cell for planned in plan.cells])
        what = "the cell that is" if len(open_cells) == 1 else f"the {len(open_cells)} cells that are"
        print(f"\nto make {what} failed or missing:\n  {command_for(plan, open_cells)}")
    sys.exit(INCOMPLETE)


if __name__ == "__main__":
    main()

"""The ledger: which cells of a list are done, running, failed, missing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sct.study.cells import Cell, CellState, failure_line, state_of

__all__ = ["Ledger", "ledger_text", "read_ledger"]


@dataclass(frozen=True)
class Ledger:
    """States of cells.

    Attributes:
        states: In the order of the cells.
        errors: Last line of the error of each failed cell.
    """

    states: dict[Cell, CellState]
    errors: dict[Cell, str]

    def cells(self, *states: CellState) -> list[Cell]:
        """Cells in one of the states, in order."""
        return [cell for cell, state in self.states.items() if state in states]

    @property
    def is_complete(self) -> bool:
        """Whether every cell is done."""
        return all(state is CellState.DONE for state in self.states.values())


def read_ledger(cells: Sequence[Cell], runs: Path) -> Ledger:
    """Look at the run folder of each cell."""
    states = {cell: state_of(cell.folder(runs)) for cell in cells}
    failed = (cell for cell, state in states.items() if state is CellState.FAILED)
    return Ledger(states, {cell: failure_line(cell.folder(runs)) for cell in failed})


def ledger_text(ledger: Ledger, most_errors: int = 20) -> str:
    """Counts by model and loss, a total, and the failed cells with their error's last line."""
    several = len({cell.experiment for cell in ledger.states}) > 1
    counts: dict[str, Counter[CellState]] = {}
    for cell, state in ledger.states.items():
        name = f"{cell.model}/{cell.loss}"
        counts.setdefault(f"{cell.experiment}/{name}" if several else name, Counter())[state] += 1
    total = sum(counts.values(), Counter[CellState]())
    width = max([*map(len, counts), len("all")])
    lines = [" " * width + "".join(f"{state.value:>9}" for state in CellState)]
    for name, count in [*counts.items(), ("all", total)]:
        lines.append(f"{name:<{width}}" + "".join(f"{count[state]:>9}" for state in CellState))
    shown = list(ledger.errors.items())[:most_errors]
    for cell, line in shown:
        label = f"{cell.experiment}/{cell.label}" if several else cell.label
        lines.append(f"failed: {label}: {line or 'no error line'}")
    if len(ledger.errors) > len(shown):
        lines.append(f"failed: and {len(ledger.errors) - len(shown)} more")
    return "\n".join(lines)

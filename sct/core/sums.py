"""Tables of additive sums: rows of exact integers that pool by addition.

A row stands for one participant and plane, or for one slice. Rows are Python integers, so pooling never overflows.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sct.core.errors import SctError
from sct.core.files import write_text

__all__ = ["RowKey", "SumsTable"]

RowKey = tuple[str, str] | tuple[str, str, int]
"""(participant_id, plane), or with the slice's number where rows stand for slices."""

_KEYS = ("participant_id", "plane", "slice")
_COUNT = "n_rows"


class SumsTable:
    """Sums by participant and plane (or slice).

    Attributes:
        rows: Column name -> exact integer, for each row key. All rows have the same columns.
    """

    def __init__(self, rows: Mapping[RowKey, Mapping[str, int]] | None = None) -> None:
        self.rows: dict[RowKey, dict[str, int]] = {}
        for key, row in (rows or {}).items():
            self._add_row(key, row)

    @classmethod
    def from_matrix(
        cls, keys: Sequence[RowKey], columns: Sequence[str], matrix: Iterable[Sequence[int]]
    ) -> "SumsTable":
        """Table of a matrix of integers (rows, columns), say a tensor's `tolist()`; rows of no slices are left out."""
        table = cls()
        n_slices = list(columns).index("n_slices")
        for key, values in zip(keys, matrix, strict=True):
            if values[n_slices]:
                table._add_row(key, dict(zip(columns, map(int, values), strict=True)))
        return table

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the sums; none when the table is empty."""
        return tuple(next(iter(self.rows.values()), {}))

    def add(self, other: "SumsTable") -> None:
        """Merge another table into this one: equal keys are added, new ones taken over.

        Raises:
            ValueError: The columns differ, say by other thresholds.
        """
        for key, row in other.rows.items():
            self._add_row(key, row)

    def pooled(self) -> dict[str, int]:
        """Sums over all rows; empty when there is none."""
        return _total(self.rows.values())

    def by_participant(self) -> dict[str, dict[str, int]]:
        """Sums of each participant over its planes and slices, by participant_id in order."""
        groups: dict[str, list[dict[str, int]]] = {}
        for key, row in self.rows.items():
            groups.setdefault(key[0], []).append(row)
        return {name: _total(groups[name]) for name in sorted(groups)}

    def write_csv(self, path: Path) -> None:
        """Write the table atomically, rows in the order of their keys; every row tells how many there are.

        Raises:
            SctError: The file cannot be written.
        """
        n_keys = max((len(key) for key in self.rows), default=2)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*_KEYS[:n_keys], _COUNT, *self.columns])
        for key in sorted(self.rows, key=lambda key: (key[0], key[1], key[2:])):
            writer.writerow([*key, len(self.rows), *self.rows[key].values()])
        write_text(path, text.getvalue())

    @classmethod
    def read_csv(cls, path: Path) -> "SumsTable":
        """Read what `write_csv` wrote.

        Raises:
            SctError: The file is missing, not such a table, or truncated at any byte.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise SctError(f"{path}: no such file") from error
        except (OSError, UnicodeDecodeError) as error:
            raise SctError(f"{path}: cannot be read ({error})") from error
        header, *lines = csv.reader(io.StringIO(text)) if text else [[]]
        n_keys = header.index(_COUNT) if _COUNT in header else 0
        if tuple(header[:n_keys]) != _KEYS[: max(n_keys, 2)]:
            raise SctError(f"{path}: not a table of sums: the header must start with {','.join(_KEYS[:2])},{_COUNT}")
        if not text.endswith("\n") or any(len(line) != len(header) for line in lines):
            raise SctError(f"{path}: truncated: its last line is incomplete; remove its folder and run the cell again")
        table = cls()
        try:
            for line in lines:
                key: RowKey = (line[0], line[1]) if n_keys == 2 else (line[0], line[1], int(line[2]))
                values = map(int, line[n_keys + 1 :])
                table._add_row(key, dict(zip(header[n_keys + 1 :], values, strict=True)))
            expected = int(lines[0][n_keys]) if lines else -1
        except ValueError as error:
            raise SctError(f"{path}: not a table of sums: {error}") from error
        if len(table.rows) != expected:
            raise SctError(
                f"{path}: truncated: {len(table.rows)} rows of {max(expected, 1)}; remove its folder and run the "
                "cell again"
            )
        return table

    def _add_row(self, key: RowKey, row: Mapping[str, int]) -> None:
        if self.rows and self.columns != tuple(row):
            raise ValueError(f"the columns of row {key} differ from the table's")
        old = self.rows.get(key)
        self.rows[key] = dict(row) if old is None else {name: old[name] + value for name, value in row.items()}


def _total(rows: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for row in rows:
        total = {name: total.get(name, 0) + value for name, value in row.items()}
    return total

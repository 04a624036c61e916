"""Which participants of a cohort are meant: conditions on columns, as plain data that is never evaluated as code."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sct.core.errors import SctError

__all__ = ["as_number", "select"]

_BOUNDS = ("min", "max")


def select(
    table: Mapping[str, Mapping[str, str]], columns: Sequence[str], where: Mapping[str, Any], origin: str
) -> list[str]:
    """The participants that fulfil all conditions, in table order.

    A condition is a value (equal to it), a list (one of them) or `{min, max}` (a number within, ends included; either
    may be left out). Numbers compare as numbers, so `1` finds `1.0`; text compares exactly; None finds missing values.

    Args:
        table: Cells by column, per participant; missing ones left out.
        columns: All columns that conditions may name.
        where: Condition by column.
        origin: Begins error messages: the file or folder of the table.

    Raises:
        SctError: A condition names no column, is of another form, or no participant is left.
    """
    for column, condition in where.items():
        _check_condition(str(column), condition, columns, origin)
    chosen = [
        name
        for name, cells in table.items()
        if all(
            _holds(condition, cells.get(str(column)), f"{origin}: {name}: {column}")
            for column, condition in where.items()
        )
    ]
    if not chosen:
        conditions = ", ".join(f"{column}={_plain(condition)}" for column, condition in where.items())
        seen = "; ".join(f"{column} has {_values(table, str(column))}" for column in where)
        raise SctError(f"{origin}: no participant is left by cohort.where {conditions}; {seen}")
    return chosen


def as_number(cell: str) -> float | None:
    """The number that a cell holds, None when it holds other text; an age of `89+` (over 89) counts as 90."""
    text = cell.strip()
    try:
        number = float(text[:-1]) + 1.0 if text.endswith("+") else float(text)
    except ValueError:
        return None
    return number if number == number else None  # the text "nan" is no number


def _check_condition(column: str, condition: Any, columns: Sequence[str], origin: str) -> None:
    if column not in columns:
        near = difflib.get_close_matches(column, columns, n=3)
        known = f"did you mean {' or '.join(near)}?" if near else f"columns: {', '.join(columns) or 'none'}"
        raise SctError(f"{origin}: cohort.where.{column} names no column; {known}")
    if isinstance(condition, Mapping):
        unknown = [str(key) for key in condition if key not in _BOUNDS]
        if unknown or not condition:
            raise SctError(
                f"cohort.where.{column}: a range has the keys min and max, not {', '.join(unknown) or 'none'}"
            )
        for key, bound in condition.items():
            if isinstance(bound, bool) or not isinstance(bound, int | float):
                raise SctError(f"cohort.where.{column}.{key}: {bound!r} is not a number")


def _holds(condition: Any, cell: str | None, what: str) -> bool:
    if isinstance(condition, Mapping):
        if cell is None:
            return False
        number = as_number(cell)
        if number is None:
            raise SctError(f"{what} is {cell!r}, which is not a number, so it cannot be compared with min or max")
        return bool(condition.get("min", float("-inf")) <= number <= condition.get("max", float("inf")))
    if isinstance(condition, Iterable) and not isinstance(condition, str):
        return any(_equals(value, cell) for value in condition)
    return _equals(condition, cell)


def _equals(value: Any, cell: str | None) -> bool:
    if value is None or cell is None:
        return value is None and cell is None
    if isinstance(value, bool):
        return cell.lower() == str(value).lower()
    wanted, found = as_number(str(value)), as_number(cell)
    if wanted is not None and found is not None:
        return wanted == found
    return cell == str(value).strip()


def _plain(condition: Any) -> str:
    if isinstance(condition, Mapping):
        return "{" + ", ".join(f"{key}: {bound}" for key, bound in condition.items()) + "}"
    if isinstance(condition, Iterable) and not isinstance(condition, str):
        return "[" + ", ".join(str(value) for value in condition) + "]"
    return str(condition)


def _values(table: Mapping[str, Mapping[str, str]], column: str, at_most: int = 8) -> str:
    values = sorted({cells[column] for cells in table.values() if column in cells})
    more = f" and {len(values) - at_most} more" if len(values) > at_most else ""
    return (", ".join(values[:at_most]) or "no values") + more

"""participants.tsv: who is in a cohort, one participant a line."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sct.core.errors import SctError
from sct.core.files import write_text

__all__ = [
    "ID_COLUMN",
    "check_participant_id",
    "is_folder_name",
    "read_participants",
    "write_participants",
]

ID_COLUMN = "participant_id"
_MISSING = ("", "n/a")
_LONGEST_NAME = 200  # bytes; file systems take 255, and the store's names are longer than the id
_OTHER_SEPARATORS = {",": "commas", ";": "semicolons", "|": "bars", " ": "spaces"}


def read_participants(path: Path) -> tuple[list[str], dict[str, dict[str, str]]]:
    """Read a tab-separated table of participants.

    Blank cells and `n/a` are missing values; blank lines are passed over; short lines are filled with missing values.

    Returns:
        The columns beside participant_id, in file order, and per participant (in file order) its cells by column,
        missing ones left out.

    Raises:
        SctError: Unreadable, another separator, no or a repeated column, no participants, a missing, repeated or
            impossible participant_id, or a line of too many cells.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise SctError(f"{path}: not UTF-8 text; save it as tab-separated UTF-8 text") from error
    except OSError as error:
        raise SctError(f"{path}: cannot be read ({error.strerror or error})") from error
    numbered = [(i, line) for i, line in enumerate(lines, start=1) if line.strip()]
    if not numbered:
        raise SctError(
            f"{path}: the table is empty; a header with {ID_COLUMN} and a line per participant were expected"
        )
    columns = [cell.strip() for cell in numbered[0][1].split("\t")]
    _check_columns(path, columns)
    id_index = columns.index(ID_COLUMN)

    table: dict[str, dict[str, str]] = {}
    repeated: list[str] = []
    for number, line in numbered[1:]:
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) > len(columns):
            raise SctError(f"{path}: line {number} has {len(cells)} cells, the header has {len(columns)}")
        cells += [""] * (len(columns) - len(cells))
        participant_id = cells[id_index]
        if participant_id.lower() in _MISSING:
            raise SctError(f"{path}: line {number} has no {ID_COLUMN}")
        check_participant_id(participant_id, f"{path}: line {number}")
        if participant_id in table:
            repeated.append(participant_id)
        table[participant_id] = {
            column: cell
            for column, cell in zip(columns, cells, strict=True)
            if column != ID_COLUMN and cell.lower() not in _MISSING
        }
    if repeated:
        names = ", ".join(dict.fromkeys(repeated))
        raise SctError(f"{path}: {ID_COLUMN} more than once: {names}; each participant has one line")
    if not table:
        raise SctError(f"{path}: the table has a header but no participants")
    return [column for column in columns if column != ID_COLUMN], table


def write_participants(path: Path, columns: Sequence[str], table: Mapping[str, Mapping[str, str]]) -> None:
    """Write participants.tsv atomically; what is missing becomes `n/a`.

    Args:
        path: The file.
        columns: Columns after participant_id, in order.
        table: Cells by column, per participant.

    Raises:
        SctError: The file cannot be written.
    """
    lines = ["\t".join([ID_COLUMN, *columns])]
    for participant_id, cells in table.items():
        values = [" ".join(cells.get(column, "").split()) or "n/a" for column in columns]
        lines.append("\t".join([participant_id, *values]))
    write_text(path, "\n".join(lines) + "\n")


def is_folder_name(text: str) -> bool:
    """Whether a text can be the plain name of a folder: no path, not hidden, printable, not too long for a file."""
    return (
        text.isprintable()
        and not text.startswith(".")
        and not any(mark in text for mark in "/\\:")
        and 0 < len(text.encode()) <= _LONGEST_NAME
    )


def check_participant_id(participant_id: str, where: str) -> None:
    """Refuse an id that cannot be the plain name of a folder inside the cohort.

    Args:
        participant_id: The id, not blank.
        where: Begins the message: the file and line that gave the id.

    Raises:
        SctError: The id has path parts, a leading dot or unprintable characters, or is too long.
    """
    if not is_folder_name(participant_id):
        raise SctError(
            f"{where}: {ID_COLUMN} {participant_id[:_LONGEST_NAME]!r} cannot be a folder's name; "
            f"no slashes, colons, leading dots or unprintable characters, at most {_LONGEST_NAME} bytes"
        )


def _check_columns(path: Path, columns: list[str]) -> None:
    if len(columns) == 1 and columns[0] != ID_COLUMN and ID_COLUMN in columns[0]:
        for mark, name in _OTHER_SEPARATORS.items():
            if mark in columns[0]:
                raise SctError(f"{path}: columns are separated by {name}; tabs were expected")
    if ID_COLUMN not in columns:
        raise SctError(f"{path}: no column {ID_COLUMN}; found: {', '.join(columns)}")
    repeated = [column for i, column in enumerate(columns) if column in columns[:i]]
    if repeated:
        raise SctError(f"{path}: column {repeated[0]!r} is there more than once")

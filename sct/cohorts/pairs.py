"""pairs.tsv: which MR and which CT series belong together, one participant a line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sct.cohorts.headers import patient_of
from sct.cohorts.kinds import is_synthetic_ct
from sct.cohorts.table import ID_COLUMN, check_participant_id
from sct.core.errors import SctError
from sct.core.files import write_text
from sct.io.dicom_series import Series

__all__ = ["Pair", "of_two_patients", "read_pairs", "write_pairs"]

_COLUMNS = (ID_COLUMN, "mr", "ct")


@dataclass(frozen=True)
class Pair:
    """One participant's two series, by their keys."""

    participant_id: str
    mr: str
    ct: str


def write_pairs(path: Path, pairs: Sequence[Pair]) -> None:
    """Write pairs.tsv: participant_id and the keys of the MR and the CT series.

    Raises:
        SctError: The file cannot be written.
    """
    lines = ["\t".join(_COLUMNS)] + ["\t".join((pair.participant_id, pair.mr, pair.ct)) for pair in pairs]
    write_text(path, "\n".join(lines) + "\n")


def read_pairs(path: Path, series: Mapping[str, Series]) -> list[Pair]:
    """Read pairs.tsv and check it against the series that are there.

    Args:
        path: The table; columns beside participant_id, mr and ct are ignored.
        series: Series by key.

    Raises:
        SctError: Unreadable, no pairs, a repeated participant, a series that is not there or there twice, an MR given
            as CT, or a synthetic CT.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise SctError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SctError(f"{path}: cannot be read as text ({error})") from error
    header = [cell.strip() for cell in lines[0].split("\t")] if lines else []
    missing = [column for column in _COLUMNS if column not in header]
    if missing:
        raise SctError(f"{path}: no column {', '.join(missing)}; tab-separated {' '.join(_COLUMNS)} were expected")
    pairs: list[Pair] = []
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        cells = dict(zip(header, (cell.strip() for cell in line.split("\t")), strict=False))
        pair = Pair(*(cells.get(column, "") for column in _COLUMNS))
        where = f"{path}: line {number}"
        if not pair.participant_id:
            raise SctError(f"{where} has no {ID_COLUMN}")
        check_participant_id(pair.participant_id, where)
        if pair.participant_id in (other.participant_id for other in pairs):
            raise SctError(f"{where}: {ID_COLUMN} {pair.participant_id} is there more than once")
        for column, key, modality in (("mr", pair.mr, "MR"), ("ct", pair.ct, "CT")):
            _check_series(f"{where}: the {column} series of {pair.participant_id}", key, modality, series)
            if any(key in (other.mr, other.ct) for other in pairs):
                raise SctError(f"{where}: the {column} series {key} is another participant's too; each has its own")
        pairs.append(pair)
    if not pairs:
        raise SctError(f"{path}: no pairs in it")
    return pairs


def of_two_patients(pairs: Sequence[Pair], series: Mapping[str, Series]) -> list[str]:
    """The participants whose MR and CT are of different patients, as far as their headers tell."""
    return [
        pair.participant_id for pair in pairs if len({patient_of(series[key].header) for key in (pair.mr, pair.ct)}) > 1
    ]


def _check_series(what: str, key: str, modality: str, series: Mapping[str, Series]) -> None:
    if key not in series:
        raise SctError(f"{what}, {key or '(blank)'}, is not among the DICOM files")
    if series[key].modality != modality:
        raise SctError(f"{what} is of modality {series[key].modality}, not {modality}; are MR and CT swapped?")
    if is_synthetic_ct(series[key]):
        raise SctError(f"{what} is a synthetic CT, which is no reference; name a CT that a scanner made")

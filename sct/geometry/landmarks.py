"""Corresponding points that a reader placed in MR and CT: landmarks.tsv and 3D Slicer's markups."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.core.errors import SctError
from sct.core.files import read_json

__all__ = ["MARKUPS_SUFFIXES", "LandmarkPairs", "Points", "read_landmark_pairs", "read_markups"]

Points = dict[str, NDArray[np.float64]]
LandmarkPairs = dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]

MARKUPS_SUFFIXES = (".mrk.json", ".fcsv")
_TABLE_COLUMNS = ("name", "mr_x", "mr_y", "mr_z", "ct_x", "ct_y", "ct_z")
# Slicer's names for its coordinate systems, old files use numbers; the factor takes each to RAS.
_TO_RAS = {"RAS": (1.0, 1.0, 1.0), "0": (1.0, 1.0, 1.0), "LPS": (-1.0, -1.0, 1.0), "1": (-1.0, -1.0, 1.0)}


def read_landmark_pairs(path: Path) -> LandmarkPairs:
    """Read the positions of each landmark in MR and CT.

    Args:
        path: landmarks.tsv (columns name mr_x mr_y mr_z ct_x ct_y ct_z, in mm, RAS), or the MR's 3D Slicer markups
            `mr.mrk.json` or `mr.fcsv`, beside which lie the CT's, `ct.mrk.json` or `ct.fcsv`.

    Returns:
        Name -> (position in MR, position in CT), world mm in RAS, in file order.

    Raises:
        SctError: A file is missing or wrong, a name is repeated, or MR and CT have other names.
    """
    path = Path(path)
    if not _is_markups(path):
        return _read_table(path)
    beside = [path.with_name(f"ct{suffix}") for suffix in MARKUPS_SUFFIXES]
    ct_path = next((candidate for candidate in beside if candidate.is_file()), None)
    if ct_path is None or not path.name.lower().startswith("mr."):
        raise SctError(f"{path}: markups come in pairs, mr.mrk.json or mr.fcsv beside ct.mrk.json or ct.fcsv")
    mr, ct = read_markups(path), read_markups(ct_path)
    only_mr, only_ct = [name for name in mr if name not in ct], [name for name in ct if name not in mr]
    if only_mr or only_ct:
        parts = [
            f"only in {file.name}: {', '.join(names)}" for file, names in ((path, only_mr), (ct_path, only_ct)) if names
        ]
        raise SctError(f"{path.parent}: MR and CT have other landmarks ({'; '.join(parts)}); give each the same names")
    return {name: (mr[name], ct[name]) for name in mr}


def read_markups(path: Path) -> Points:
    """Read the points of a 3D Slicer markups file, `.mrk.json` or `.fcsv`, into RAS.

    Points that were listed but never placed are passed over.

    Returns:
        Label -> position (3,) in mm, RAS.

    Raises:
        SctError: Missing, unreadable, without points, of an unknown coordinate system, or with a repeated label.
    """
    rows = _json_rows(path) if path.name.lower().endswith(".json") else _fcsv_rows(path)
    points: Points = {}
    for label, position, system in rows:
        if system not in _TO_RAS:
            raise SctError(f"{path}: coordinate system {system!r} is unknown; RAS or LPS was expected")
        _add(points, label, _numbers(position, path, label) * _TO_RAS[system], path)
    if not points:
        raise SctError(f"{path}: no landmarks in it")
    return points


def _read_table(path: Path) -> LandmarkPairs:
    lines = _text(path).splitlines()
    header = [cell.strip() for cell in lines[0].split("\t")] if lines else []
    missing = [column for column in _TABLE_COLUMNS if column not in header]
    if missing:
        raise SctError(
            f"{path}: no column {', '.join(missing)}; tab-separated {' '.join(_TABLE_COLUMNS)} were expected"
        )
    at = [header.index(column) for column in _TABLE_COLUMNS]
    mr: Points = {}
    ct: Points = {}
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        cells = line.split("\t")
        if len(cells) <= max(at):
            raise SctError(f"{path}: line {number} has {len(cells)} cells, the header has {len(header)}")
        name, *values = (cells[i].strip() for i in at)
        _add(mr, name, _numbers(values[:3], path, name), path)
        _add(ct, name, _numbers(values[3:], path, name), path)
    if not mr:
        raise SctError(f"{path}: no landmarks in it")
    return {name: (mr[name], ct[name]) for name in mr}


def _json_rows(path: Path) -> list[tuple[str, Any, str]]:
    try:
        return [
            (str(point["label"]).strip(), point["position"], str(markup.get("coordinateSystem", "LPS")).upper())
            for markup in read_json(path)["markups"]
            for point in markup.get("controlPoints", [])
            if point.get("positionStatus", "defined") == "defined"
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise SctError(f"{path}: not a 3D Slicer markups file (markups, controlPoints, label, position)") from error


def _fcsv_rows(path: Path) -> list[tuple[str, Any, str]]:
    system = "RAS"  # the format's default before Slicer 4.11 wrote it into each file
    columns = ["id", "x", "y", "z", "ow", "ox", "oy", "oz", "vis", "sel", "lock", "label", "desc", "associatedNodeID"]
    rows: list[tuple[str, Any, str]] = []
    for line in _text(path).splitlines():
        if line.startswith("#"):
            key, _, value = line.lstrip("# ").partition("=")
            if key.strip().lower() == "coordinatesystem":
                system = value.strip().upper()
            elif key.strip().lower() == "columns":
                columns = [column.strip() for column in value.split(",")]
        elif line.strip():
            cells = dict(zip(columns, next(csv.reader([line])), strict=False))
            if not {"x", "y", "z", "label"} <= cells.keys():
                raise SctError(f"{path}: not a 3D Slicer markups file (columns x, y, z and label were expected)")
            rows.append((cells["label"].strip(), [cells["x"], cells["y"], cells["z"]], system))
    return rows


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise SctError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SctError(f"{path}: cannot be read as text ({error})") from error


def _numbers(values: Any, path: Path, name: str) -> NDArray[np.float64]:
    try:
        position = np.array([float(value) for value in values], dtype=np.float64)
    except (TypeError, ValueError):
        position = np.array([])
    if position.shape != (3,) or not np.isfinite(position).all():
        raise SctError(f"{path}: landmark {name!r} has no position of three finite numbers")
    return position


def _add(points: Points, name: str, position: NDArray[np.float64], path: Path) -> None:
    if not name:
        raise SctError(f"{path}: a landmark has no name")
    if name in points:
        raise SctError(f"{path}: landmark {name!r} is there more than once")
    points[name] = position


def _is_markups(path: Path) -> bool:
    return path.name.lower().endswith(MARKUPS_SUFFIXES)

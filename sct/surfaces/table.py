"""The figures of a surface comparison as rows of text."""

from collections.abc import Mapping
from typing import Any

__all__ = ["report_rows", "table_text"]

COLUMNS = (
    ("mean", "mean_mm"),
    ("SD", "sd_mm"),
    ("min", "min_mm"),
    ("max", "max_mm"),
    ("IQR", "iqr_mm"),
    ("p95 |d|", "abs_p95_mm"),
)


def report_rows(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and values of the headline figures (reference to test, per vertex), for a short table."""
    vertices = figures["reference_to_test"]["per_vertex"]
    both = figures["both_directions"]
    tolerance_mm = figures["settings"]["tolerance_mm"]
    rows = [(f"Within ±{tolerance_mm:g} mm", _share(vertices["share_within_tolerance"]))]
    rows += [(f"Deviation {name}", _mm(vertices[key], " mm")) for name, key in COLUMNS]
    rows += [
        ("Vertices", f"{vertices['n_vertices']:,}"),
        ("Mean distance, both ways", _mm(both["mean_distance_mm"], " mm")),
        ("Surface Dice", _share(both["surface_dice"])),
    ]
    for name, region in figures["reference_to_test"]["regions"].items():
        rows.append((f"{name} within", _share(region["per_vertex"]["share_within_tolerance"])))
    return rows


def table_text(figures: Mapping[str, Any]) -> str:
    """All directions, weightings and regions, one line each, for a terminal; mm and per cent."""
    tolerance_mm = figures["settings"]["tolerance_mm"]
    lines = []
    for direction, words in (("reference_to_test", "reference -> test"), ("test_to_reference", "test -> reference")):
        side = figures[direction]
        lines.append((f"{words}, per vertex", side["per_vertex"]))
        lines.append((f"{words}, by area", side["area_weighted"]))
        lines += [(f"  {name}, per vertex", region["per_vertex"]) for name, region in side["regions"].items()]
    width = max(len(name) for name, _ in lines)
    heads = [*(name for name, _ in COLUMNS), f"within ±{tolerance_mm:g}"]
    text = [f"{'deviation in mm':{width}}  " + "  ".join(f"{head:>9}" for head in heads)]
    for name, values in lines:
        cells = [*(_mm(values[key]) for _, key in COLUMNS), _share(values["share_within_tolerance"])]
        text.append(f"{name:{width}}  " + "  ".join(f"{cell:>9}" for cell in cells))
    return "\n".join([*text, figures["sign"]])


def _mm(value: float | None, unit: str = "") -> str:
    return "-" if value is None else f"{value:.2f}{unit}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"

"""Makes a regression visible: `python benchmarks/compare.py OLD.json NEW.json [--threshold 0.15]`.

Compares the medians of each ratio, and the peak memory of each side, of two pages. Ratios that only one of them has,
because they were renamed, removed or not run, are listed apart, with the targets that they missed. Ends with 1 when a
ratio fell, or a memory grew, by more than the threshold, or when something failed that did not before; 2 when a file is
no page.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

__all__ = ["alone", "compare", "main"]


def compare(old: dict[str, Any], new: dict[str, Any], threshold: float) -> tuple[list[str], int]:
    """Lines of the comparison, and how many regressions there are."""
    lines, regressions = [], 0
    before, after = (_ratios(page) | _memories(page) for page in (old, new))
    for name in before:
        if name in after:
            line, is_worse = _line(name, before[name], after[name], threshold)
            lines.append(line)
            regressions += is_worse
    return lines, regressions


def alone(page: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """A line for each ratio that only the first of two pages has."""
    missed, others = _missed(page), _ratios(other)
    return [
        f"          {name}: {'failed' if median is None else f'{median:.3g}'}{missed.get(name, '')}"
        for name, median in _ratios(page).items()
        if name not in others
    ]


def _line(name: str, old: float | None, new: float | None, threshold: float) -> tuple[str, bool]:
    if new is None and old is None:
        return f"          {name}: failed in both", False
    if new is None:
        return f"WORSE     {name}: {old:.3g} -> failed", True
    if old is None:
        return f"better    {name}: failed -> {new:.3g}", False
    change = new / old - 1
    gain = -change if name.endswith(_MEMORY) else change
    word = "WORSE" if gain < -threshold else "better" if gain > threshold else ""
    return f"{word:9} {name}: {old:.3g} -> {new:.3g} ({change:+.0%})", word == "WORSE"


_MEMORY = ", peak GiB"


def _ratios(page: dict[str, Any]) -> dict[str, float | None]:
    return {f"{s['name']}: {r['name']}": _median(r) for s in page["stages"] for r in s["ratios"]}


def _median(row: dict[str, Any]) -> float | None:
    return None if row["failure"] else row["median"]


def _missed(page: dict[str, Any]) -> dict[str, str]:
    """A remark for each ratio below its target."""
    return {
        f"{s['name']}: {r['name']}": f" (missed its target {r['target']:g})"
        for s in page["stages"]
        for r in s["ratios"]
        if r["target"] is not None and not r["failure"] and r["median"] < r["target"]
    }


def _memories(page: dict[str, Any]) -> dict[str, float | None]:
    return {
        f"{stage['name']}: {name}{_MEMORY}": None if side["failure"] else max(side["peaks_gib"], default=None)
        for stage in page["stages"]
        for name, side in stage["sides"].items()
    }


def read(path: Path) -> dict[str, Any]:
    """A page's JSON.

    Raises:
        SystemExit: It is none.
    """
    try:
        page: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        _ratios(page), _memories(page), _missed(page)
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"error: {path}: not a page of `make bench` ({error})", file=sys.stderr)
        raise SystemExit(2) from error
    return page


def main(arguments: list[str] | None = None) -> int:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--threshold", type=float, default=0.15, help="share by which a figure may get worse")
    chosen = parser.parse_args(arguments)
    old, new = read(chosen.old), read(chosen.new)
    differing = [key for key in ("processor", "cores", "gpu") if old["machine"].get(key) != new["machine"].get(key)]
    if differing:
        print(f"note: measured on different machines ({', '.join(differing)}); only ratios to peers compare")
    lines, regressions = compare(old, new, chosen.threshold)
    for title, single in (("old", alone(old, new)), ("new", alone(new, old))):
        if single:
            lines += ["", f"only in the {title} page, renamed, removed or not run in the other:", *single]
    print("\n".join(lines))
    print(
        f"\n{regressions} regressions beyond {chosen.threshold:.0%}; {len(alone(old, new))} ratios only in the old page"
    )
    return 1 if regressions else 0


if __name__ == "__main__":
    sys.exit(main())

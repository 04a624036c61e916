"""Makes a regression visible: `python benchmarks/compare.py OLD.json NEW.json [--threshold 0.15]`.

Compares the medians of each ratio, and the peak memory of each side, of two pages. Ends with 1 when a ratio fell, or a
memory grew, by more than the threshold, or when something failed that did not before; 2 when a file is no page.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

__all__ = ["compare", "main"]


def compare(old: dict[str, Any], new: dict[str, Any], threshold: float) -> tuple[list[str], int]:
    """Lines of the comparison, and how many regressions there are."""
    lines, regressions = [], 0
    for before, after in ((_ratios(old), _ratios(new)), (_memories(old), _memories(new))):
        for name in [*before, *(name for name in after if name not in before)]:
            line, is_worse = _line(name, before.get(name), after.get(name), name in after, threshold)
            lines.append(line)
            regressions += is_worse
    return lines, regressions


def _line(name: str, old: float | None, new: float | None, was_run: bool, threshold: float) -> tuple[str, bool]:
    if new is None:
        if old is None or not was_run:
            return f"          {name}: {'failed in both' if was_run else 'not run now'}", False
        return f"WORSE     {name}: {old:.3g} -> failed", True
    if old is None:
        return f"          {name}: {new:.3g} (no figure before)", False
    change = new / old - 1
    gain = -change if name.endswith(_MEMORY) else change
    word = "WORSE" if gain < -threshold else "better" if gain > threshold else ""
    return f"{word:9} {name}: {old:.3g} -> {new:.3g} ({change:+.0%})", word == "WORSE"


_MEMORY = ", peak GiB"


def _ratios(page: dict[str, Any]) -> dict[str, float | None]:
    return {f"{s['name']}: {r['name']}": _median(r) for s in page["stages"] for r in s["ratios"]}


def _median(row: dict[str, Any]) -> float | None:
    return None if row["failure"] else row["median"]


def _memories(page: dict[str, Any]) -> dict[str, float | None]:
    return {
        f"{stage['name']}: {name}{_MEMORY}": max(side["peaks_gib"])
        for stage in page["stages"]
        for name, side in stage["sides"].items()
        if side["peaks_gib"] and not side["failure"]
    }


def read(path: Path) -> dict[str, Any]:
    """A page's JSON.

    Raises:
        SystemExit: It is none.
    """
    try:
        page: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        _ratios(page), _memories(page)
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
    print("\n".join(lines))
    print(f"{regressions} regressions beyond {chosen.threshold:.0%}")
    return 1 if regressions else 0


if __name__ == "__main__":
    sys.exit(main())

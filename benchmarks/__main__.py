"""`make bench`, or `python -m benchmarks [STAGE ...]`: one table of ratios, and a dated page.

python -m benchmarks                         all quick stages, nine minutes on two cores
python -m benchmarks --full                  more peers and rounds, compiling, growth, equivalence: hours
python -m benchmarks training metrics        some modules
"""

import argparse
import importlib
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.harness import Plan, end_children_when_ended, load_once, run_stage
from benchmarks.page import ratio_table, write_page

QUICK = ("limits", "training", "preparation", "metrics", "prediction", "surface", "startup")
FULL = (*QUICK, "growth", "equivalence")
LOADED = ("benchmarks.training", "monai.data", "monai.transforms", "torchmetrics.classification")
"""What most sides import."""
RESULTS = Path(__file__).with_name("results")


def main(words: list[str] | None = None) -> int:
    """Run the stages, print the table, write the page; ends with 1 when a side failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", choices=[[], *FULL], metavar="STAGE", help=", ".join(FULL))
    parser.add_argument("--full", action="store_true", default=os.environ.get("BENCH") == "full")
    parser.add_argument("--tiny", action="store_true", help="smallest sizes: tests the benchmarks, not the machine")
    parser.add_argument("--repeats", type=int, help="rounds; 3 by default, 5 with --full")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the page")
    chosen = parser.parse_args(words)
    end_children_when_ended()
    device = _device(chosen.device)
    if device == "cpu":
        load_once(LOADED, chosen.threads)
    repeats = chosen.repeats or (5 if chosen.full else 3)
    from benchmarks.machine import describe

    start = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        plan = Plan(Path(scratch), chosen.full, chosen.tiny, device, chosen.threads)
        results = []
        for name in chosen.modules or (FULL if chosen.full else QUICK):
            for stage in importlib.import_module(f"benchmarks.{name}").stages(plan):
                print(f"{stage.name} (load {os.getloadavg()[0]:.1f})", flush=True)
                if chosen.tiny:
                    stage = replace(stage, ratios=[replace(ratio, target=None) for ratio in stage.ratios])
                results.append(run_stage(stage, repeats, chosen.threads, lambda line: print(line, flush=True)))
    table = ratio_table(results)
    words = " ".join(["python -m benchmarks", *(["--full"] if chosen.full else []), *chosen.modules])
    note = "tiny: the figures mean nothing, " if chosen.tiny else ""
    took = f"{(time.monotonic() - start) / 60:.0f} minutes"
    mode = f"`{words}`, {note}{device}, {repeats} rounds at most, {took}."
    what = "-".join([*(["full"] if chosen.full else []), *chosen.modules])
    page = write_page(chosen.out, results, describe(device), mode, what=what)
    print(f"\n{table}\n{page}")
    return int(any(side.failure for result in results for side in result.sides.values()))


def _device(wanted: str) -> str:
    import torch

    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return wanted


if __name__ == "__main__":
    sys.exit(main())

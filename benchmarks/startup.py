"""Start-up of the doors: `python -m sct.run --help`, and until `sct.predict` runs its network for the first time.

python -m benchmarks.startup imports      what the slowest imports of each door cost, by `-X importtime`
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import heads
from benchmarks.harness import Plan, Ratio, Side, Stage

__all__ = ["stages"]

HELP_LIMIT_S, PREDICT_LIMIT_S = 1.5, 8.0


def stages(plan: Plan) -> list[Stage]:
    """Seconds of both."""
    sides = {
        "sct.run --help": Side("benchmarks.startup:run_help"),
        "sct.predict until its first batch": Side("benchmarks.startup:first_batch", {"scratch": str(plan.scratch)}),
    }
    ratios = [
        Ratio("sct.run --help", HELP_LIMIT_S, 1.0),
        Ratio("sct.predict until its first batch", PREDICT_LIMIT_S, 1.0),
    ]
    return [Stage("Start-up", "s", sides, ratios, 120 if plan.full else 60, setup=heads.setup(plan))]


def run_help() -> float:
    """Seconds after a first call."""
    command = [sys.executable, "-m", "sct.run", "--help"]
    subprocess.run(command, check=True, capture_output=True)
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def first_batch(scratch: str) -> dict[str, Any]:
    """Seconds from the start of Python until a batch of a 1 mm head reaches the network, after a first call."""
    script = (
        "import os, sys, time\n"
        "from sct.predict import main\n"
        "from sct.synthesis.volume_inference import BatchPredictor\n"
        "def stop(*_):\n"
        "    print(time.time() - float(os.environ['SCT_BENCH_START']), flush=True)\n"
        "    os._exit(0)\n"
        "BatchPredictor.stack = stop\n"
        "main()\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        words = [str(heads.head_in(scratch, "mr")), f"{folder}/sct.nii.gz"]
        words += ["--checkpoint", str(heads.checkpoint_in(scratch)), "--device", "cpu"]
        for _ in range(2):
            environment = {**os.environ, "SCT_BENCH_START": str(time.time())}
            command = [sys.executable, "-c", script, *words]
            done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return {"value": float(done.stdout.split()[-1])}


def imports(door: str, most: int = 15) -> list[tuple[float, str]]:
    """Cumulative seconds of the slowest imports of `python -m sct.DOOR --help`, slowest first."""
    command = [sys.executable, "-X", "importtime", "-m", f"sct.{door}", "--help"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    rows = [line.removeprefix("import time:").split("|") for line in done.stderr.splitlines() if "|" in line][1:]
    return sorted(((int(row[1]) / 1e6, row[2].strip()) for row in rows), reverse=True)[:most]


def main() -> None:
    """Print them for all doors."""
    root = Path(__file__).resolve().parent.parent
    doors = sorted(path.stem for path in (root / "sct").glob("*.py") if not path.stem.startswith("_"))
    for door in doors:
        print(f"\nsct.{door}")
        for seconds, name in imports(door):
            print(f"  {seconds:6.2f} s  {name}")


if __name__ == "__main__":
    main()

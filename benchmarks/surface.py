"""Bone surfaces and deviation of two 1 mm heads: seconds, and the limits.

The reference is a phantom's CT of 190 x 230 x 190 voxels; the test is that CT blurred (Gaussian, SD 0.8 mm) with noise
of 30 HU.
"""

import subprocess
import sys
import tempfile
import time
from typing import Any

from benchmarks import heads
from benchmarks.child import threads
from benchmarks.harness import Plan, Ratio, Side, Stage

__all__ = ["stages"]

LIMIT_S = 30.0


def stages(plan: Plan) -> list[Stage]:
    """Surfaces and deviation in memory, and in the full run the whole door."""
    common = {"scratch": str(plan.scratch)}
    sides = {"two surfaces and deviation both ways": Side("benchmarks.surface:surfaces", common)}
    if plan.full:
        sides["door, with files, pictures and viewer"] = Side("benchmarks.surface:door", common)
    ratios = [Ratio("two surfaces and deviation both ways", LIMIT_S, 1.0)]
    return [Stage("Surfaces of two 1 mm heads", "s", sides, ratios, 300 if plan.full else 90, setup=heads.setup(plan))]


def surfaces(scratch: str) -> dict[str, Any]:
    """Seconds without files."""
    import torch

    from sct.io.volumes import read_volume
    from sct.surfaces.comparison import SurfaceSettings, compare

    torch.set_num_threads(threads())
    reference, test = (read_volume(heads.head_in(scratch, name)) for name in ("ct", "test"))
    start = time.perf_counter()
    found = compare(reference, test, SurfaceSettings())
    seconds = time.perf_counter() - start
    return {"value": seconds, "vertices": len(found.reference.points_mm) + len(found.test.points_mm)}


def door(scratch: str) -> float:
    """Seconds of the command."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(heads.head_in(scratch, name)) for name in ("ct", "test")]
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "sct.surface", *paths, f"{folder}/out"], check=True, capture_output=True)
        return time.perf_counter() - start

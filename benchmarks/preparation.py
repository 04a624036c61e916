"""Preparation of 1 mm phantoms against a scikit-image loop on the same volumes.

Slices/s from NIfTI pairs to slices on disk, 224 px: `prepare_cohort` with one process per core, reading and the start
of the processes included; the loop (`peers/scikit_image_preparation.py`) in one process, as such scripts are written;
and the same loop with one process per core, each on its share of the participants. In the quick run the loops take
every eighth slice; their clocks then leave out reading and start, which is in their favour.
"""

import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks import heads
from benchmarks.child import threads
from benchmarks.harness import Plan, Ratio, Side, Stage

__all__ = ["stages"]


def stages(plan: Plan) -> list[Stage]:
    """Ours, the loop, and the loop on all cores."""
    cohort = str(heads.cohort_in(plan.scratch))
    theirs = {"cohort": cohort, "every": 1 if plan.full else 8}
    sides = {
        "ours": Side("benchmarks.preparation:ours", {"cohort": cohort, "spacing_mm": 8.0 if plan.tiny else 1.0}),
        "scikit-image loop": Side("benchmarks.preparation:loop", theirs),
        "scikit-image loop on all cores": Side("benchmarks.preparation:loop", theirs | {"parallel": True}),
    }
    ratios = [Ratio("ours", "scikit-image loop", 6.0), Ratio("ours", "scikit-image loop on all cores")]
    title = "Preparation, 1 mm, 224 px"
    return [Stage(title, "slices/s", sides, ratios, 600 if plan.full else 200, setup=heads.setup(plan))]


def ours(cohort: str, spacing_mm: float) -> float:
    """As `sct.prepare` does it."""
    from sct.cohorts.cohort import read_cohort
    from sct.preparation.cohort import prepare_cohort
    from sct.preparation.settings import PrepareSettings

    with tempfile.TemporaryDirectory() as scratch:
        start = time.perf_counter()
        settings = PrepareSettings(spacing_mm=spacing_mm)
        store = prepare_cohort(read_cohort(Path(cohort)), settings, Path(scratch), threads()).store
        n_slices = sum(store.record(name).n_slices for name in store.participant_ids)
        return n_slices / (time.perf_counter() - start)


def loop(cohort: str, every: int, parallel: bool = False) -> dict[str, Any]:
    """As a script does it; one participant in each process at a time when `parallel`."""
    folders = sorted(path.parent for path in Path(cohort).glob("*/ct.nii.gz"))
    with tempfile.TemporaryDirectory() as scratch:
        work = partial(_one, scratch=Path(scratch), every=every)
        start = time.perf_counter()
        if parallel:
            with ProcessPoolExecutor(threads(), mp_context=get_context("spawn")) as pool:
                found = list(pool.map(work, folders))
        else:
            found = list(map(work, folders))
        seconds = time.perf_counter() - start
    n_slices = sum(n for n, _ in found)
    if every > 1:
        shares = [seconds for _, seconds in found]
        seconds = max(max(shares), sum(shares) / threads()) if parallel else sum(shares)
    return {"value": n_slices / seconds, "slices": n_slices}


def _one(folder: Path, scratch: Path, every: int) -> tuple[int, float]:
    """Slices made, and the seconds of the loop over them."""
    from benchmarks.peers.scikit_image_preparation import prepare

    warnings.filterwarnings("ignore")
    return prepare(folder / "mr.nii.gz", folder / "ct.nii.gz", scratch / folder.name, every)

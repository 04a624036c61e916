"""Preparation of 1 mm phantoms against a scikit-image loop on the same volumes.

    python -m benchmarks.preparation [--repeats 3] [--participants 2] [--threads 2] [--cohort DIR]

Slices/s from NIfTI pairs to slices on disk, 224 px: `prepare_cohort` with one process per core, the start of the
processes included; the loop (`peers/scikit_image_preparation.py`) in one process, as such scripts are written; and, for
comparison, the same loop with one process per core, each on its share of the participants.
"""

import argparse
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from benchmarks.side_by_side import compare, main_of_sides

SPACING_MM = 1.0


def ours(cohort: Path, scratch: Path, threads: int) -> float:
    from sct.cohorts.cohort import read_cohort
    from sct.preparation.cohort import prepare_cohort
    from sct.preparation.settings import PrepareSettings

    start = time.perf_counter()
    store = prepare_cohort(read_cohort(cohort), PrepareSettings(spacing_mm=SPACING_MM), scratch, threads).store
    n_slices = sum(store.record(name).n_slices for name in store.participant_ids)
    return n_slices / (time.perf_counter() - start)


def loop(cohort: Path, scratch: Path, processes: int) -> float:
    folders = sorted(path.parent for path in cohort.glob("*/ct.nii.gz"))
    work = partial(peer_of, scratch=scratch)
    start = time.perf_counter()
    if processes == 1:
        n_slices = sum(map(work, folders))
    else:
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            n_slices = sum(pool.map(work, folders))
    return n_slices / (time.perf_counter() - start)


def peer_of(folder: Path, scratch: Path) -> int:
    from benchmarks.peers.scikit_image_preparation import prepare

    warnings.filterwarnings("ignore")
    return prepare(folder / "mr.nii.gz", folder / "ct.nii.gz", scratch / folder.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--participants", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cohort", type=Path, help="a cohort folder instead of phantoms")
    parser.add_argument("--side", choices=("ours", "loop", "parallel-loop"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        if arguments.side is not None:
            cohort, threads = arguments.cohort, arguments.threads
            sides = {
                "ours": lambda: ours(cohort, scratch, threads),
                "loop": lambda: loop(cohort, scratch, 1),
                "parallel-loop": lambda: loop(cohort, scratch, threads),
            }
            main_of_sides(sides, arguments.side)
            return
        cohort = arguments.cohort or _phantoms(scratch, arguments.participants, arguments.threads)
        print("## Preparation: 224 px, 1 mm\n")
        for peer in ("loop", "parallel-loop"):
            words = ("--cohort", str(cohort))
            module = "benchmarks.preparation"
            compare(module, "ours", peer, "slices/s", arguments.repeats, arguments.threads, *words)


def _phantoms(folder: Path, participants: int, jobs: int) -> Path:
    from sct.head_phantom.cohort import write_phantom_cohort
    from sct.head_phantom.settings import PhantomSettings

    write_phantom_cohort(folder / "cohort", PhantomSettings(participants=participants, spacing_mm=SPACING_MM), jobs)
    return folder / "cohort"


if __name__ == "__main__":
    main()

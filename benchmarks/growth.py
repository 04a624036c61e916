"""Growth: 39, 390 and (in full) 3,900 participants, 10,000 cells, and two processes instead of one.

Participants are coarse phantoms (4 mm, 64 px), eight of them made and repeated under new ids. Preparation must be
linear in participants and its memory flat; its volumes are hard links to the eight, so reading them costs no disk, and
the page says so. Training from disk (`data.resident=mapped`) must be as flat, at 0.8 of the speed of resident data or
more: its slices are real copies, of which nothing is left in the page cache when a mapped side starts. `sct.summarize`
and `sct.ledger` read 10,000 made-up cells in 30 s each; two DDP processes of one thread, started as `sct.run` starts
them, lose no more than 15 % against one process of two threads.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.child import threads
from benchmarks.harness import Plan, Ratio, Side, Stage

__all__ = ["coarse_cohort", "drop_from_page_cache", "stages"]

SIZE_PX, SPACING_MM, DISTINCT = 64, 4.0, 8
CELLS_LIMIT_S = 30.0


def stages(plan: Plan) -> list[Stage]:
    """Preparation, training, reading of a large study, DDP."""
    counts = [4, 8] if plan.tiny else [39, 390, 3900] if plan.full else [39, 390]
    first, last = counts[0], counts[-1]
    scratch = str(plan.scratch)
    setup = Side("benchmarks.growth:make", {"scratch": scratch, "counts": counts, "tiny": plan.tiny})
    prepared = {f"{n:,} participants": Side("benchmarks.growth:prepare", {"scratch": scratch, "n": n}) for n in counts}
    names = list(prepared)
    flat = [
        Ratio(names[-1], names[0], 0.9, name=f"participants/s, {last:,} / {first:,}"),
        Ratio(names[-1], names[0], 0.9, of="peak", name=f"memory, {first:,} over {last:,} participants"),
    ]
    trained = {
        f"{resident}, {n:,} participants": Side(
            "benchmarks.growth:train",
            {"scratch": scratch, "n": n, "resident": resident, "steps": 2 if plan.tiny else 60, "device": plan.device},
        )
        for n in counts
        for resident in ("memory", "mapped")
    }
    speed = [Ratio(f"mapped, {n:,} participants", f"memory, {n:,} participants", 0.8) for n in counts]
    mapped = [f"mapped, {n:,} participants" for n in (last, first)]
    speed.append(Ratio(*mapped, 0.9, of="peak", name=f"memory of mapped, {first:,} over {last:,} participants"))
    box = 1800 if plan.full else 240
    grown = [
        Stage("Preparation by participants, 4 mm, 64 px", "participants/s", prepared, flat, box, setup, rounds=1),
        Stage("Training by participants, 64 px, batch 16", "slices/s", trained, speed, box, setup),
    ]
    if plan.device == "cuda":
        return grown
    n_cells = 72 if plan.tiny else 10_008
    reading = {
        door: Side("benchmarks.growth:read_cells", {"scratch": scratch, "door": door, "n_cells": n_cells})
        for door in ("ledger", "summarize")
    }
    limits = [Ratio(door, CELLS_LIMIT_S, 1.0) for door in reading]
    cells = Side("benchmarks.growth:fabricate", {"scratch": scratch, "n_cells": n_cells})
    common = {"size_px": 32, "batch": 4, "steps": 2} if plan.tiny else {"size_px": 224, "batch": 16, "steps": 6}
    both = {
        name: Side("benchmarks.growth:train_together", common | {"processes": n})
        for name, n in (("two processes of one thread", 2), ("one process of two threads", 1))
    }
    return [
        *grown,
        Stage(f"A study of {n_cells:,} cells", "s", reading, limits, 300, cells),
        Stage("Training in two processes (DDP), 224 px, batch 16", "slices/s", both, [Ratio(*both, 0.85)], 300),
    ]


def coarse_cohort(scratch: Path, participants: int = DISTINCT, spacing_mm: float = SPACING_MM) -> Path:
    """The phantoms that are repeated, made when missing."""
    from sct.head_phantom.cohort import write_phantom_cohort
    from sct.head_phantom.settings import PhantomSettings

    root = scratch / "coarse"
    write_phantom_cohort(root, PhantomSettings(participants=participants, spacing_mm=spacing_mm), threads())
    return root


def make(scratch: str, counts: list[int], tiny: bool) -> dict[str, Any]:
    """Cohorts of so many participants, and a store of the most, of which the others are parts."""
    folder = Path(scratch)
    root = coarse_cohort(folder, *((4, 8.0) if tiny else (DISTINCT, SPACING_MM)))
    base = _prepared(root, folder / "store", 8.0 if tiny else SPACING_MM, 32 if tiny else SIZE_PX)
    for n in counts:
        if not (folder / f"cohort-{n}").exists():
            _repeat_cohort(root, folder / f"cohort-{n}", n)
    if not (folder / "repeated").exists():
        _repeat_store(base, folder / "repeated", counts[-1])
    return {"value": 0.0}


def _prepared(cohort: Path, store: Path, spacing_mm: float, size_px: int) -> Path:
    from sct.cohorts.cohort import read_cohort
    from sct.preparation.cohort import prepare_cohort
    from sct.preparation.settings import PrepareSettings

    prepare_cohort(read_cohort(cohort), PrepareSettings(size_px=size_px, spacing_mm=spacing_mm), store, threads())
    return store


def _repeat_cohort(root: Path, target: Path, n: int) -> None:
    header, *rows = (root / "participants.tsv").read_text(encoding="utf-8").splitlines()
    lines = [header]
    for k in range(n):
        name, _, rest = rows[k % len(rows)].partition("\t")
        folder = target / f"r{k:04d}"
        folder.mkdir(parents=True)
        for file in ("mr.nii.gz", "ct.nii.gz"):
            os.link(root / name / file, folder / file)
        lines.append(f"r{k:04d}\t{rest}")
    (target / "participants.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _repeat_store(base: Path, target: Path, n: int) -> None:
    """Real copies: links would share their pages in memory, and nothing would ever be read from the disk."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(base.glob("*.json"))]
    # twice: the preparation that is timed writes as much, and removes it
    needed = 2 * sum((base / records[k % len(records)]["data"]).stat().st_size for k in range(n))
    free = shutil.disk_usage(base).free
    if free < needed:
        gib = [f"{size / 2**30:.1f} GiB" for size in (needed, free)]
        raise OSError(f"{base.parent}: {n:,} participants need {gib[0]}, {gib[1]} are free; set TMPDIR to another disk")
    target.mkdir(parents=True)
    for k in range(n):
        record = dict(records[k % len(records)])
        data = f"r{k:04d}-{record['fingerprint'][:8]}.npy"
        (target / data).write_bytes((base / record["data"]).read_bytes())
        record |= {"participant_id": f"r{k:04d}", "data": data}
        (target / f"r{k:04d}.json").write_text(json.dumps(record), encoding="utf-8")


def drop_from_page_cache(paths: Iterable[Path]) -> None:
    """Have files read from the disk when they are read next."""
    for path in paths:
        with path.open("rb") as file:
            os.fsync(file.fileno())  # what is not written yet cannot be dropped
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def prepare(scratch: str, n: int) -> dict[str, Any]:
    """Participants/s of a preparation from nothing."""
    settings = json.loads(next((Path(scratch) / "store").glob("*.json")).read_text(encoding="utf-8"))["settings"]
    with tempfile.TemporaryDirectory(dir=scratch) as store:
        start = time.perf_counter()
        _prepared(Path(scratch) / f"cohort-{n}", Path(store), settings["spacing_mm"], settings["size_px"])
        seconds = time.perf_counter() - start
    return {"value": n / seconds, "seconds": seconds, "volumes": f"{DISTINCT} under new ids, cached in memory"}


def train(scratch: str, n: int, resident: str, steps: int, device: str) -> dict[str, Any]:
    """Slices/s of Light U-Net on all slices of the store's first participants, and what was read from the disk."""
    from benchmarks.training import train_store
    from sct.preparation.store import SliceStore

    folder = Path(scratch) / "repeated"
    names = [f"r{k:04d}" for k in range(n)]
    store = SliceStore(folder, names)
    n_slices = sum(store.record(name).n_slices for name in names)
    if resident == "mapped":
        drop_from_page_cache(folder.glob("*.npy"))
    before = _mib_read()
    found = train_store(store, 16, steps, device, resident=resident)
    return {**found, "slices": n_slices, "read_from_disk_mib": _mib_read() - before}


def _mib_read() -> float:
    """What this process has had read from the disk so far."""
    told = dict(line.split(": ") for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines())
    return int(told["read_bytes"]) / 2**20


def train_together(size_px: int, batch: int, steps: int, processes: int) -> dict[str, Any]:
    """Slices/s of processes that share the batches, started as `sct.run trainer.devices=2` starts them."""
    from benchmarks.synthetic import store_of
    from benchmarks.training import WARM_UP_STEPS
    from sct.training.processes import run_together

    with tempfile.TemporaryDirectory() as folder:
        store_of(Path(folder) / "store", batch * (steps + WARM_UP_STEPS["cpu"]), size_px)
        if processes == 1:
            _train_share(folder, batch, steps, processes)
        else:
            run_together(_train_share, (folder, batch, steps, processes), processes, "gloo")
        found: dict[str, Any] = json.loads(Path(folder, "found.json").read_text(encoding="utf-8"))
    return found


def _train_share(folder: str, batch: int, steps: int, processes: int, *, rank: int = 0) -> None:
    from benchmarks.training import train_store
    from sct.preparation.store import SliceStore

    found = train_store(SliceStore(Path(folder) / "store"), batch, steps, devices=processes)
    if rank == 0:
        Path(folder, "found.json").write_text(json.dumps(found), encoding="utf-8")


def read_cells(scratch: str, door: str, n_cells: int) -> dict[str, Any]:
    """Seconds of the door over all cells, its start included."""
    words = [f"runs={scratch}/runs", "experiment=table", f"seed=range(0,{n_cells // 36})"]
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", f"sct.{door}", *words], check=False, capture_output=True, text=True, cwd=scratch
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"sct.{door}: {done.stderr.strip().splitlines()[-1]}")
    return {"value": seconds, "cells": n_cells}


def fabricate(scratch: str, n_cells: int, n_participants: int = 39) -> dict[str, Any]:
    """Run folders of the paper's table with as many seeds as make `n_cells`, with sums of made-up predictions."""
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    from sct._door import config_folder, register_resolvers
    from sct.study.cells import Cell

    register_resolvers()
    runs = Path(scratch) / "runs"
    with initialize_config_dir(config_dir=str(config_folder()), version_base="1.3"):
        for model in ("light_unet", "vgg_unet", "vgg_unet_tl"):
            for loss in ("mae", "mse", "mix"):
                composed = compose("run", [f"model={model}", f"loss={loss}", "+experiment@_global_=table"])
                config = OmegaConf.to_container(composed, resolve=True)
                for seed in range(n_cells // 36):
                    for fold in range(4):
                        cell = Cell("phantom", "table", model, config["loss"]["name"], seed, fold)  # type: ignore
                        tested = [f"sub-{k:02d}" for k in range(fold, n_participants, 4)]
                        _write_cell(cell.folder(runs), config | {"seed": seed, "fold": fold}, tested, runs)  # type: ignore
    return {"value": 0.0}


def _write_cell(folder: Path, config: dict[str, Any], tested: list[str], runs: Path) -> None:
    """A finished cell; every tenth seed's sums are the same file."""
    import yaml

    from sct.core.figures import figures
    from sct.core.versions import versions

    folder.mkdir(parents=True)
    text = yaml.dump(config, sort_keys=False, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper))
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    split = {"train": {}, "val": {}, "test": dict.fromkeys(tested, 3), "store_fingerprint": "0" * 64}
    (folder / "split.json").write_text(json.dumps(split), encoding="utf-8")
    first = folder.parent.with_name(f"seed-{config['seed'] % 10}") / folder.name
    if first != folder:
        for name in ("sums.csv", "metrics.json", "versions.json"):
            shutil.copyfile(first / name, folder / name)
        return
    table = _made_up_sums(tested, int(config["seed"]))
    table.write_csv(folder / "sums.csv")
    (folder / "metrics.json").write_text(json.dumps(figures(table.pooled())), encoding="utf-8")
    (folder / "versions.json").write_text(json.dumps(versions()), encoding="utf-8")


def _made_up_sums(tested: list[str], seed: int) -> Any:
    import torch

    from sct.core.pixel_sums import SumsLayout
    from sct.core.sums import SumsTable
    from sct.slices.planes import PLANES

    generator = torch.Generator().manual_seed(seed)
    ct = torch.rand(3 * len(tested), 16, 16, generator=generator)
    noisy = (ct + 0.1 * torch.randn(ct.shape, generator=generator)).clamp(0, 1)
    layout = SumsLayout()
    rows = layout.slice_sums(noisy, ct, ct > 0.1).tolist()
    keys = [(name, plane) for name in tested for plane in PLANES]
    return SumsTable.from_matrix(keys, layout.columns, rows)

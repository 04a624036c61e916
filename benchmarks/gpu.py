"""Everything that is to be measured on a GPU, in steps of less than ten minutes.

    python benchmarks/gpu.py OUT                            all steps, one after the other
    python benchmarks/gpu.py OUT cohort training            some steps
    python benchmarks/gpu.py OUT cells:vgg_unet:mse         one of the nine combinations
    python benchmarks/gpu.py OUT --tiny                     smallest sizes on the CPU: tests this script

Makes the phantom cohort itself and needs no network. What is large goes to `--work` and is kept between calls, results
too; after each step all of them are copied to OUT as small files, with the page of what there is so far.

VGG U-Net TL needs ImageNet weights: `--tl-weights FILE`. Without, random weights in a file stand in for them: the
seconds per epoch are the same, the number of epochs may differ, and the page says so.
"""

import argparse
import importlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if __package__ in (None, ""):  # run as a script: its folder's names must not hide other modules
    sys.path[0] = str(ROOT)

from benchmarks import epoch_profile, networks  # noqa: E402
from benchmarks.bill import LOSSES, MODELS, bill  # noqa: E402
from benchmarks.harness import (  # noqa: E402
    Plan,
    RatioRow,
    Side,
    SideResult,
    Stage,
    StageResult,
    end_children_when_ended,
    run_side,
    run_stage,
)
from benchmarks.machine import describe  # noqa: E402
from benchmarks.page import write_page  # noqa: E402

__all__ = ["main"]

_CELLS = [f"cells:{model}:{loss}" for model in MODELS for loss in LOSSES]
SEVERAL_TARGET = 1.3
STEPS = (
    "cohort",
    "limits",
    "training",
    "levers",
    "profile",
    "several",
    "metrics",
    "prediction",
    "equivalence",
    "cells",
)


@dataclass(frozen=True)
class Job:
    """Where and how big."""

    work: Path
    plan: Plan
    repeats: int
    tl_weights: Path | None

    @property
    def words(self) -> list[str]:
        """Words of every door: the cohort, small when it is a test."""
        small = ["cohort=phantom", "cohort.phantom.participants=4", "cohort.phantom.spacing_mm=8"]
        small += ["prepare.spacing_mm=8", "prepare.size_px=32"]
        return small if self.plan.tiny else ["cohort=phantom39_inst1"]

    @property
    def store(self) -> Path:
        """The prepared cohort."""
        return next((self.work / "data").glob("*/store-*"))

    def door(self, name: str, *words: str) -> float:
        """Seconds of a command, its start included."""
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        command = [sys.executable, "-m", f"sct.{name}", *self.words, *words]
        start = time.perf_counter()
        done = subprocess.run(
            command, cwd=self.work, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"sct.{name}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
        return time.perf_counter() - start


def main(arguments: list[str] | None = None) -> int:
    """Run the steps; ends with 1 when one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("steps", nargs="*", help=f"{', '.join(STEPS)}; cells:MODEL, cells:MODEL:LOSS; all by default")
    parser.add_argument("--work", type=Path, default=ROOT / "data" / "gpu")
    parser.add_argument("--tl-weights", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tiny", action="store_true")
    chosen = parser.parse_intermixed_args(arguments)
    known = [*STEPS, *(f"cells:{model}" for model in MODELS), *_CELLS]
    unknown = [step for step in chosen.steps if step not in known]
    if unknown:
        parser.error(f"{unknown[0]}: one of {', '.join(STEPS)}, cells:MODEL, cells:MODEL:LOSS")
    end_children_when_ended()
    device = "cpu" if chosen.tiny else "cuda"
    scratch = chosen.work.resolve() / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    (chosen.work / "results").mkdir(exist_ok=True)
    plan = Plan(scratch, tiny=chosen.tiny, device=device, threads=len(os.sched_getaffinity(0)))
    job = Job(chosen.work.resolve(), plan, chosen.repeats, chosen.tl_weights and chosen.tl_weights.resolve())
    failed = False
    for step in _one_by_one(chosen.steps or STEPS):
        start = time.perf_counter()
        try:
            _run_step(job, step)
            print(f"{step}: {time.perf_counter() - start:.0f} s", flush=True)
        except Exception as error:
            failed = True
            print(f"{step}: failed: {error}", file=sys.stderr, flush=True)
        publish(job, chosen.out)
    return int(failed)


def _one_by_one(steps: Sequence[str]) -> list[str]:
    """Steps, with `cells` and `cells:MODEL` as one for each combination, which is kept as soon as it has ended."""
    cells = {step: [cell for cell in _CELLS if f"{cell}:".startswith(f"{step}:")] for step in steps}
    return [one for step in steps for one in cells[step] or [step]]


def _run_step(job: Job, step: str) -> None:
    name, _, rest = step.partition(":")
    if name == "cohort":
        _keep(job, name, {"prepare_s": job.door("prepare")})
    elif name == "cells":
        model, _, loss = rest.partition(":")
        _keep(job, f"cell-{model}-{loss}", run_cell(job, model, loss))
    elif name == "several":
        _keep(job, name, {"stages": [several(job).to_json()]})
    else:
        stages = [_profile_stage(job)] if name == "profile" else _stages_of(name, job.plan)
        results = [run_stage(stage, job.repeats, job.plan.threads) for stage in stages]
        _keep(job, name, {"stages": [result.to_json() for result in results]})


def _stages_of(name: str, plan: Plan) -> list[Stage]:
    module = importlib.import_module(f"benchmarks.{'training' if name == 'levers' else name}")
    found: list[Stage] = module.stages(plan)
    levers = [stage for stage in found if stage.name.startswith("Levers")]
    return {"training": [stage for stage in found if stage not in levers], "levers": levers}.get(name, found)


def _profile_stage(job: Job) -> Stage:
    names = list(networks.NETWORKS)[:1] if job.plan.tiny else list(networks.NETWORKS)
    return epoch_profile.stage(job.store, names, 8 if job.plan.tiny else 128, job.plan.device)


def run_cell(job: Job, model: str, loss: str) -> dict[str, Any]:
    """One cell as the paper's table has it: seed 0, fold 0, early stopping; seconds of the whole command."""
    runs = job.work / "runs"
    shutil.rmtree(runs / "bill", ignore_errors=True)
    words = [f"model={model}", f"loss={loss}", "seed=0", "fold=0", f"runs={runs}/bill"]
    stands_in = False
    if model == "vgg_unet_tl":
        stands_in = job.tl_weights is None
        words.append(f"model.encoder_weights={job.tl_weights or _random_weights(job)}")
    if job.plan.tiny:
        words += ["trainer.max_epochs=2", "data.batch_size=8", "trainer.accelerator=cpu"]
    seconds = job.door("run", *words)
    folder = next((runs / "bill").rglob("fold-0"))
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    rows = (folder / "metrics.csv").read_text(encoding="utf-8").splitlines()
    at = rows[0].split(",").index("seconds")
    training_s = sum(float(row.split(",")[at]) for row in rows[1:])
    names = ("epochs", "best_epoch", "stopped_early", "train_slices_per_s", "mae_hu", "pearson_r", "bone_dice")
    kept = {name: metrics[name] for name in names}
    return {"model": model, "loss": loss, "seconds": seconds, "training_s": training_s, "stands_in": stands_in} | kept


def _random_weights(job: Job) -> Path:
    """An encoder's weights that were never trained, in a file as ImageNet's come."""
    import torch

    path = job.work / "vgg16-random.pth"
    if not path.exists():
        encoder = networks.make("vgg_unet").get_submodule("encoder")
        torch.save({f"features.{name}": value for name, value in encoder.state_dict().items()}, path)
    return path


def several(job: Job, most: int = 3) -> StageResult:
    """One, two and three processes that train at once on the device, their slices/s together."""
    sizes = {"size_px": 32, "batch": 4, "steps": 4} if job.plan.tiny else {"size_px": 224, "batch": 128, "steps": 400}
    start, counts = time.monotonic(), range(1, (2 if job.plan.tiny else most) + 1)
    sides = {f"{n} at once": SideResult() for n in counts}
    for _ in range(job.repeats):
        for n, side in zip(counts, sides.values(), strict=True):
            found = _at_once(n, sizes | {"device": job.plan.device}, job.plan.threads)
            side.values.append(found)
    one = sides["1 at once"].values
    rows = [
        RatioRow.of(f"{name} / 1", [b / a for a, b in zip(one, side.values, strict=True)], SEVERAL_TARGET)
        for name, side in list(sides.items())[1:]
    ]
    seconds = time.monotonic() - start
    title = "Several trainings of Light U-Net on one GPU"
    return StageResult(title, "slices/s together", os.getloadavg()[0], seconds, sides, rows)


def _at_once(n: int, arguments: dict[str, Any], threads: int) -> float:
    from concurrent.futures import ThreadPoolExecutor

    with tempfile.TemporaryDirectory() as meet, ThreadPoolExecutor(n) as pool:
        side = Side("benchmarks.training:ours", arguments | {"meet": meet, "processes": n})
        found = list(pool.map(lambda _: run_side(side, max(1, threads // n), 300), range(n)))
    failures = [result.failure for result in found if result.failure]
    if failures:  # one that waited for another that failed is only told to have been too long
        raise RuntimeError(min(failures, key=lambda failure: failure.startswith("longer than")))
    return sum(result.values[0] for result in found)


def _keep(job: Job, name: str, result: dict[str, Any]) -> None:
    (job.work / "results" / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def publish(job: Job, out: Path) -> None:
    """Copy all results so far to `out`, with the page made of them."""
    out.mkdir(parents=True, exist_ok=True)
    kept = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (job.work / "results").glob("*.json")}
    for name in kept:
        shutil.copyfile(job.work / "results" / f"{name}.json", out / f"{name}.json")
    stages = [_stage(stage) for name in STEPS for stage in kept.get(name, {}).get("stages", [])]
    cells = [kept[name] for name in sorted(kept) if name.startswith("cell-")]
    mode = "`python benchmarks/gpu.py`" + (", tiny: the figures mean nothing" if job.plan.tiny else "")
    texts = [*([bill(cells)] if cells else []), *_compiling(stages)]
    write_page(out, stages, describe(job.plan.device), mode, texts)


def _stage(plain: dict[str, Any]) -> StageResult:
    sides = {name: SideResult(**side) for name, side in plain["sides"].items()}
    return StageResult(**plain | {"sides": sides, "ratios": [RatioRow(**row) for row in plain["ratios"]]})


def _compiling(stages: list[StageResult]) -> list[str]:
    """After how many steps compiling has paid for itself."""
    texts = []
    for stage in stages:
        eager, compiled = stage.sides.get("ours"), stage.sides.get("compiled")
        if not (eager and compiled and eager.values and compiled.values):
            continue
        cost_s = compiled.details["first_step_s"] - eager.details["first_step_s"]
        # slices/s -> seconds per slice; a step has 128 of them
        gained_s = 128 * (1 / statistics.median(eager.values) - 1 / statistics.median(compiled.values))
        after = f"after {cost_s / gained_s:.0f} steps" if gained_s > 0 else "never"
        texts.append(
            f"## Compiling\n\n{stage.name}: the first step takes {cost_s:.1f} s longer, each further one "
            f"{1000 * gained_s:.2f} ms less; compiling pays for itself {after}.\n"
        )
    return texts


if __name__ == "__main__":
    sys.exit(main())

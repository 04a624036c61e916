"""Nothing traded away: bf16 and compiled training end where float32 eager training ends.

Light U-Net with MAE on a coarse phantom (4 mm, 64 px, 8 participants, fold 0) from 5 seeds each. A variant passes when
the difference of the means over seeds is within the range of the float32 eager seeds, for MAE, Pearson R and bone Dice.
"""

import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scipy.stats import ttest_ind

from benchmarks.child import threads
from benchmarks.harness import Plan, RatioRow, Side, SideResult, Stage

__all__ = ["stages"]

VARIANTS = {
    "fp32": {"precision": "32-true", "compile": False},
    "bf16": {"precision": "bf16-mixed", "compile": False},
    "fp32, compiled": {"precision": "32-true", "compile": True},
    "bf16, compiled": {"precision": "bf16-mixed", "compile": True},
}
FIGURES = {"mae_hu": "MAE, HU", "pearson_r": "R", "bone_dice": "Dice"}


def stages(plan: Plan) -> list[Stage]:
    """All variants and seeds, once."""
    n_seeds, variants = (2, ["fp32", "bf16"]) if plan.tiny else (5, list(VARIANTS))
    if plan.device == "cuda":
        variants.remove("fp32, compiled")  # float32 is nobody's choice there, and the others fill ten minutes
    common = {"scratch": str(plan.scratch), "device": plan.device, "epochs": 1 if plan.tiny else 20}
    sides = {
        f"{name}, seed {seed}": Side("benchmarks.equivalence:train", common | VARIANTS[name] | {"seed": seed})
        for seed in range(n_seeds)
        for name in variants
    }
    setup = Side("benchmarks.growth:make", {"scratch": str(plan.scratch), "counts": [], "tiny": plan.tiny})
    title = f"Same results, {n_seeds} seeds, coarse phantom"
    return [Stage(title, "HU MAE", sides, (), 1800, setup, rounds=1, derive=_rows)]


def train(scratch: str, device: str, epochs: int, precision: str, compile: bool, seed: int) -> dict[str, Any]:
    """Train and test one fold; its figures."""
    import torch
    from pytorch_lightning import seed_everything

    from sct.core.figures import figures
    from sct.models.light_unet import LightUNet
    from sct.preparation.store import SliceStore
    from sct.training.augment import AugmentSettings
    from sct.training.datamodule import SliceDataModule
    from sct.training.fitting import TrainerSettings, fit, test
    from sct.training.folds import FoldPlan
    from sct.training.task import SynthesisTask

    torch.set_num_threads(threads())
    store = SliceStore(Path(scratch) / "store")
    records = {pid: store.record(pid) for pid in store.participant_ids}
    n_slices = {pid: record.n_slices for pid, record in records.items()}
    split = FoldPlan().split(n_slices, {pid: record.columns for pid, record in records.items()}, 0, seed)
    data = SliceDataModule(store, split, seed, batch_size=32, augment=AugmentSettings())
    seed_everything(seed, verbose=False)
    task = SynthesisTask(LightUNet(), torch.nn.L1Loss(), seed=seed)
    accelerator = "gpu" if device == "cuda" else "cpu"
    settings = TrainerSettings(max_epochs=epochs, precision=precision, compile=compile, accelerator=accelerator)
    with tempfile.TemporaryDirectory() as folder:
        record = fit(task, data, Path(folder), settings)
        found = figures(test(task, data, Path(folder), settings).pooled())
    return {"value": found["mae_hu"], "epochs": record.epochs, **{name: found[name] for name in FIGURES}}


def _rows(sides: Mapping[str, SideResult]) -> list[RatioRow]:
    """For each variant and figure: range of the float32 eager seeds over the difference of means."""
    groups: dict[str, list[SideResult]] = {}
    for name, side in sides.items():
        groups.setdefault(name.rpartition(", ")[0], []).append(side)
    reference = groups.pop("fp32")
    rows = []
    for variant, results in groups.items():
        failures = [side.failure for side in [*reference, *results] if side.failure]
        for key, label in FIGURES.items():
            name = f"{variant}: {label}, range / difference"
            if failures:
                rows.append(RatioRow.of(name, [], 1.0, failures[0]))
                continue
            before, now = ([side.details[key] for side in group] for group in (reference, results))
            interval = ttest_ind(now, before, equal_var=False).confidence_interval()
            difference = statistics.mean(now) - statistics.mean(before)
            ratio = (max(before) - min(before)) / max(abs(difference), 1e-12)
            note = f"{_spread(now)}; fp32 {_spread(before)}; difference {difference:+.3g} "
            note += f"(95 % CI {interval.low:.3g} to {interval.high:.3g}, Welch)"
            rows.append(RatioRow(name, ratio, ratio, ratio, 1.0, note=note))
    return rows


def _spread(values: list[float]) -> str:
    return f"{statistics.mean(values):.4g} (SD {statistics.stdev(values):.2g})"

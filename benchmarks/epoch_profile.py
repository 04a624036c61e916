"""What a GPU does in an epoch: how busy it is, and how often the host waits for it.

Trains as `sct.run` does, with its callbacks, on a store; profiles one whole epoch (training, validation, checkpoints),
and has torch report synchronising operations in the training batches of another.
"""

import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from benchmarks import networks
from benchmarks.child import threads
from benchmarks.harness import Ratio, RatioRow, Side, SideResult, Stage

__all__ = ["busy_rows", "busy_share", "device_work", "profile_epoch", "stage"]

BUSY_TARGET = 0.95
WRITING = ", checkpoints at its end"
_NEVER_S = 1e9
_PROFILED, _WATCHED, _EPOCHS = 2, 3, 5
_WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize")


def stage(store: Path, names: Sequence[str], batch: int, device: str) -> Stage:
    """An epoch of each network without writing of checkpoints, and one with it."""
    sides = {}
    for name in names:
        for title, every_s in ((networks.NETWORKS[name], _NEVER_S), (f"{networks.NETWORKS[name]}{WRITING}", 0.0)):
            arguments = {"store": str(store), "network": name, "batch": batch, "device": device}
            sides[title] = Side(f"{__name__}:profile_epoch", arguments | {"checkpoint_every_s": every_s})
    return Stage("GPU busy in an epoch", "of the epoch", sides, [Ratio(name) for name in sides], 300, derive=busy_rows)


def busy_rows(sides: Mapping[str, SideResult]) -> list[RatioRow]:
    """How busy a GPU is on average: in an epoch without writing, less the share of the time that writing takes."""
    from sct.training.fitting import TrainerSettings

    every_s, rows = TrainerSettings().checkpoint_every_s, []
    for name, plain in sides.items():
        if name.endswith(WRITING):
            continue
        writing, shares = sides[f"{name}{WRITING}"], []
        if not (plain.failure or writing.failure):
            write_s = max(0.0, writing.details["epoch_s"] - plain.details["epoch_s"])
            shares = [value * every_s / (every_s + write_s) for value in plain.values]
        title = f"{name}, writing every {every_s:g} s"
        rows.append(RatioRow.of(title, shares, BUSY_TARGET, plain.failure or writing.failure))
    return rows


class _Watch(Callback):
    """Profiles epoch `_PROFILED` and watches synchronisation in epoch `_WATCHED`."""

    def __init__(self) -> None:
        activities = [torch.profiler.ProfilerActivity.CPU]
        if torch.cuda.is_available():
            activities.append(torch.profiler.ProfilerActivity.CUDA)
        self.profiler = torch.profiler.profile(activities=activities)
        self.seconds = 0.0
        self._start = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.current_epoch == _PROFILED:
            self._wait(trainer)
            self.profiler.start()
            self._start = time.perf_counter()
        elif trainer.current_epoch == _PROFILED + 1 and not self.seconds:
            self._wait(trainer)
            self.seconds = time.perf_counter() - self._start
            self.profiler.stop()
        if trainer.current_epoch == _WATCHED and torch.cuda.is_available():
            torch.cuda.set_sync_debug_mode("warn")

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if torch.cuda.is_available():
            torch.cuda.set_sync_debug_mode("default")

    def _wait(self, trainer: Trainer) -> None:
        if trainer.strategy.root_device.type == "cuda":
            torch.cuda.synchronize()


def profile_epoch(store: str, network: str, batch: int, device: str, checkpoint_every_s: float) -> dict[str, Any]:
    """Busy share, waits and kernels per step of one epoch of fold 0; `value` is the busy share."""
    from sct.preparation.store import SliceStore
    from sct.training.augment import AugmentSettings
    from sct.training.callbacks import BestAndLast, EpochTable, PatientStopping
    from sct.training.datamodule import SliceDataModule
    from sct.training.folds import FoldPlan
    from sct.training.machine import choose_precision, prepared_machine
    from sct.training.task import SynthesisTask

    torch.set_num_threads(threads())
    slices = SliceStore(Path(store))
    records = {pid: slices.record(pid) for pid in slices.participant_ids}
    n_slices = {pid: record.n_slices for pid, record in records.items()}
    split = FoldPlan().split(n_slices, {pid: record.columns for pid, record in records.items()}, 0, 0)
    data = SliceDataModule(slices, split, batch_size=batch, augment=AugmentSettings())
    watch = _Watch()
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        folder = Path(name)
        trainer = Trainer(
            accelerator="gpu" if device == "cuda" else "cpu",
            devices=1,
            precision=choose_precision("auto", torch.device(device)),  # type: ignore[arg-type]
            max_epochs=_EPOCHS,
            callbacks=[
                watch,
                BestAndLast(folder, checkpoint_every_s),
                PatientStopping(_EPOCHS),
                EpochTable(folder / "metrics.csv"),
            ],
            logger=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        with prepared_machine():
            trainer.fit(SynthesisTask(networks.make(network), torch.nn.L1Loss()), datamodule=data)
    waits = [warning for warning in caught if "synchronizing CUDA" in str(warning.message)]
    places = Counter(f"{Path(warning.filename).name}:{warning.lineno}" for warning in waits)
    steps = -(-len(data.train_slices) // batch)
    events = watch.profiler.events() or []
    kernels = device_work(events)
    spans = [(e.time_range.start, e.time_range.end) for e in kernels]
    return {
        "value": busy_share(spans, watch.seconds * 1e6),
        "epoch_s": watch.seconds,
        "steps": steps,
        "device_operations": len(kernels),
        "waits_in_training_batches": len(waits),
        "where": dict(places),
        "waits_in_epoch": sum(e.name in _WAITS for e in events),
        "longest": _longest(kernels),
    }


def device_work(events: Iterable[Any]) -> list[Any]:
    """What the device did: not the ranges that annotate it, which reach over the gaps between its kernels."""
    on_device = (e for e in events if e.device_type == torch.autograd.DeviceType.CUDA)
    return [e for e in on_device if not getattr(e, "is_user_annotation", False)]


def busy_share(spans: list[tuple[float, float]], whole: float) -> float:
    """Share of `whole` that is covered by spans (start, end) of one clock; overlaps count once."""
    covered, end = 0.0, float("-inf")
    for start, stop in sorted(spans):
        covered += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return covered / whole if whole else 0.0


def _longest(kernels: list[Any], most: int = 12) -> dict[str, float]:
    """Milliseconds of the kernels that take longest together."""
    total: Counter[str] = Counter()
    for kernel in kernels:
        total[kernel.name[:80]] += kernel.time_range.end - kernel.time_range.start
    return {name: round(us / 1e3, 3) for name, us in total.most_common(most)}

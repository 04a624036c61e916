"""Training throughput: against a plain Lightning + MONAI script, and against ourselves with each lever off.

Slices/s over the steps after a warm-up, 224 px; batch 16 on the CPU, 128 on a GPU. All sides train the same network
with MAE on the same synthetic slices: ours as `sct.run` does it (bf16 where the machine has it), the peer
(`peers/monai_training.py`) in float32 with a worker per core on the CPU, and in bf16 with all cores' workers and pinned
memory on a GPU. On the CPU the peer also runs in bf16, so that precision and tuning are seen apart: without workers,
which is then the faster way, and in the full run with them too.
"""

import logging
import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.plugins.environments import LightningEnvironment
from pytorch_lightning.strategies import DDPStrategy

from benchmarks import networks
from benchmarks.child import threads
from benchmarks.harness import Plan, Ratio, Side, Stage
from benchmarks.synthetic import slices, store_of
from sct.preparation.store import SliceStore
from sct.training.augment import AugmentSettings, apply_affine
from sct.training.datamodule import SliceBatch, SliceDataModule
from sct.training.folds import Split
from sct.training.loader import HostBatch
from sct.training.machine import choose_precision, compiled_training, prepared_machine
from sct.training.task import SynthesisTask, adam

__all__ = ["COMPILED", "LEVERS", "StepTimer", "ours", "peer", "stages"]

WARM_UP_STEPS = {"cpu": 2, "cuda": 3}
"""The first chooses algorithms and compiles; on a GPU the next two are those that record a CUDA graph."""
STEPS_PER_EPOCH = 43
"""At most, as a fold of phantom39_inst1 has them; longer runs repeat the epoch."""
LEVERS = {
    "resident": "resident data",
    "batched": "batched augmentation",
    "channels_last": "channels_last",
    "bf16": "bf16",
    "fused": "fused Adam",
    "asynchronous": "no loss read each step",
    "prepared_machine": "memory kept between steps, no denormals",
}
"""What `off` may name."""
COMPILED = {"compiled": "default", "compiled with CUDA graphs": "reduce-overhead"}
"""Sides, and their modes of torch.compile."""


def stages(plan: Plan) -> list[Stage]:
    """Ours against the peer, and against ourselves."""
    on_cpu = plan.device == "cpu"
    size_px, batch, steps = (32, 4, 2) if plan.tiny else (224, *((16, 3) if on_cpu else (128, 40)))
    common = {"size_px": size_px, "batch": batch, "device": plan.device}
    mine = Side("benchmarks.training:ours", common | {"steps": steps})
    title = f"Training Light U-Net, {size_px} px, batch {batch}"
    against = []
    for network in networks.NETWORKS if plan.device == "cuda" else ("light_unet",):
        arguments = common | {"steps": steps, "network": network}
        sides = {name: Side(f"benchmarks.training:{name}", arguments) for name in ("ours", "peer")}
        if on_cpu:
            in_bf16 = arguments | {"precision": "bf16-mixed"}
            sides["peer in bf16, no workers"] = Side("benchmarks.training:peer", in_bf16 | {"workers": 0})
            if plan.full:
                sides["peer in bf16"] = Side("benchmarks.training:peer", in_bf16)
        target = None if network == "vgg_unet" else 3.5 if on_cpu else 3.0
        ratios = [Ratio("ours", name, target if name == "peer" else None) for name in list(sides)[1:]]
        name = title.replace("Light U-Net", networks.NETWORKS[network])
        against.append(Stage(name, "slices/s", sides, ratios, 600 if plan.full else 300))
    off = {f"{text} off": _with(mine, off=lever) for lever, text in LEVERS.items()}
    compiled = {
        # a cache of its own, or what another run compiled would be found
        title: _with(mine, compiled=mode, cache=str(plan.scratch / f"inductor-{uuid4().hex}"))
        for title, mode in COMPILED.items()
    }
    if on_cpu and plan.full:  # GNU's OpenMP; ours neither sets it nor advises it
        off["threads that sleep sooner"] = Side(mine.function, mine.arguments, {"GOMP_SPINCOUNT": "10000"})
    levers = f"Levers of {title[0].lower()}{title[1:]}"
    if not on_cpu:
        return [*against, _levers(levers, mine, off | compiled, 1200 if plan.full else 300)]
    # Compiling takes longer on a CPU than all else together: a stage of its own leaves the other levers their rounds.
    if not plan.tiny:  # where it is only tried out: a CPU has no graphs
        compiled.pop("compiled with CUDA graphs")
    last = [_levers(f"{levers}: compiling", mine, compiled, 600)] if plan.full or plan.tiny else []
    return [*against, _levers(levers, mine, off, 1200 if plan.full else 360, None if plan.full else 2), *last]


def _with(mine: Side, **arguments: str) -> Side:
    return Side(mine.function, dict(mine.arguments) | arguments)


def _levers(title: str, mine: Side, others: dict[str, Side], limit_s: float, rounds: int | None = None) -> Stage:
    ratios = [Ratio("ours", name) for name in others]
    return Stage(title, "slices/s", {"ours": mine, **others}, ratios, limit_s, rounds=rounds)


class StepTimer(Callback):
    """Slices/s from the end of the warm-up to the end of the training, the device's work included.

    Args:
        batch: Slices of a step.
        steps: Steps after the warm-up.
        device: `cpu` or `cuda`.
        start_together: A folder and a number of processes that start the clock at once; they meet in the folder.

    Attributes:
        all_steps: With the warm-up.
    """

    def __init__(self, batch: int, steps: int, device: str, start_together: tuple[Path, int] | None = None) -> None:
        self._batch, self._warm_up = batch, WARM_UP_STEPS[device]
        self.all_steps = self._warm_up + steps
        self._together = start_together
        self._ends: list[float] = []
        self._start = 0.0

    def on_train_start(self, *_: Any) -> None:
        """The first step's clock."""
        self._start = time.perf_counter()

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Wait for the device only where the clock starts and stops, and for others where it starts."""
        step = len(self._ends) + 1
        if trainer.strategy.root_device.type == "cuda" and step in (self._warm_up, self.all_steps):
            torch.cuda.synchronize()
        if step == self._warm_up and self._together is not None:
            folder, processes = self._together
            (folder / f"ready-{os.getpid()}").touch()
            while len(list(folder.glob("ready-*"))) < processes:
                time.sleep(0.01)
        self._ends.append(time.perf_counter())

    @property
    def first_step_s(self) -> float:
        """Compiling, allocating, choosing algorithms."""
        return self._ends[0] - self._start

    @property
    def slices_per_s(self) -> float:
        """All processes of a batch together."""
        ends = self._ends[self._warm_up - 1 :]
        return self._batch * (len(ends) - 1) / (ends[-1] - ends[0])


class SingleAugmentation(SliceDataModule):
    """Augments slice by slice."""

    def on_after_batch_transfer(self, batch: HostBatch, dataloader_idx: int) -> SliceBatch:
        whole = super().on_after_batch_transfer(batch._replace(theta=None), dataloader_idx)
        if batch.theta is None:
            return whole
        pair = torch.cat([whole.mr, whole.ct], dim=1)
        maps = zip(pair, batch.theta, strict=True)
        pair = torch.cat([apply_affine(image[None], theta[None]) for image, theta in maps])
        return whole._replace(mr=pair[:, :1].contiguous(), ct=pair[:, 1:].contiguous())


class SynchronisingTask(SynthesisTask):
    """Reads its loss at each step, as a log line per step does."""

    def training_step(self, batch: SliceBatch, batch_idx: int) -> torch.Tensor:
        loss = super().training_step(batch, batch_idx)
        self.log("step_loss", loss.item(), prog_bar=True)
        return loss


def ours(
    size_px: int = 224,
    batch: int = 16,
    steps: int = 6,
    device: str = "cpu",
    off: str = "",
    network: str = "light_unet",
    meet: str = "",
    processes: int = 1,
    compiled: str = "",
    cache: str = "",
) -> dict[str, Any]:
    """Train as `sct.run` does it, with one lever off (see `LEVERS`), or beside `processes` that `meet` in a folder.

    Or `compiled`, in a mode of `torch.compile`, which keeps what it has compiled in the folder `cache`.
    """
    if cache:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
    if off and off not in LEVERS:
        raise ValueError(f"off={off}: one of {', '.join(LEVERS)}")
    n = batch * min(steps + WARM_UP_STEPS[device], STEPS_PER_EPOCH)
    with tempfile.TemporaryDirectory() as folder:
        store = store_of(Path(folder), n, size_px)
        together = (Path(meet), processes) if meet else None
        return train_store(store, batch, steps, device, off, network, start_together=together, compiled=compiled)


def train_store(
    store: SliceStore,
    batch: int,
    steps: int,
    device: str = "cpu",
    off: str = "",
    network: str = "light_unet",
    devices: int = 1,
    resident: str = "auto",
    start_together: tuple[Path, int] | None = None,
    compiled: str = "",
) -> dict[str, Any]:
    """Slices/s of `steps` steps on a store's slices, after the warm-up.

    Several `devices` need `run_together`, as in `sct.run`.
    """
    _quiet()
    torch.set_num_threads(max(1, threads() // devices))
    numbers = {pid: torch.arange(store.record(pid).n_slices).numpy() for pid in store.participant_ids}
    first = {pid: part[:1] for pid, part in list(numbers.items())[:1]}
    split = Split(numbers, first, first)
    data = (SingleAugmentation if off == "batched" else SliceDataModule)(
        store,
        split,
        batch_size=batch,
        augment=AugmentSettings(),
        resident="mapped" if off == "resident" else resident,  # type: ignore[arg-type]
    )
    made = networks.make(network)
    task = (SynchronisingTask if off == "asynchronous" else SynthesisTask)(
        made,
        torch.nn.L1Loss(),
        optimizer=(lambda parameters: torch.optim.Adam(parameters)) if off == "fused" else adam,
        channels_last=off != "channels_last",
    )
    precision = "32-true" if off == "bf16" else choose_precision("auto", torch.device(device))
    timer = StepTimer(batch, steps, device, start_together)
    with ExitStack() as stack:
        if off != "prepared_machine":
            stack.enter_context(prepared_machine())
        if compiled:
            stack.enter_context(compiled_training(made, mode=compiled))
            if device == "cuda":
                data.compile_maps()
        _trainer(timer, device, precision, devices).fit(task, datamodule=data)
    return {"value": timer.slices_per_s, "precision": precision, "first_step_s": timer.first_step_s}


def peer(
    size_px: int = 224,
    batch: int = 16,
    steps: int = 6,
    device: str = "cpu",
    network: str = "light_unet",
    precision: str = "",
    workers: int | None = None,
) -> dict[str, Any]:
    """Train as a plain script does it: by default in float32 on the CPU, in bf16 on a GPU, with a worker per core."""
    from benchmarks.peers.monai_training import train

    _quiet()
    torch.set_num_threads(threads())
    timer = StepTimer(batch, steps, device)
    if workers is None:
        workers = threads() if device == "cpu" else torch.multiprocessing.cpu_count()
    precision = precision or ("32-true" if device == "cpu" else "bf16-mixed")
    # Two batches more for each worker, which it makes ahead: else the last steps would be timed with idle workers.
    mr, ct = slices(batch * (timer.all_steps + 2 * workers), size_px)
    made = networks.make(network)
    train(made, mr, ct, batch, timer, timer.all_steps, workers=workers, device=device, precision=precision)
    return {"value": timer.slices_per_s, "precision": precision, "workers": workers}


def _trainer(timer: StepTimer, device: str, precision: str, devices: int = 1) -> Trainer:
    return Trainer(
        max_epochs=-1,
        max_steps=timer.all_steps,
        limit_val_batches=0,
        accelerator="gpu" if device == "cuda" else "cpu",
        devices=devices,
        strategy=DDPStrategy(process_group_backend="gloo", broadcast_buffers=False) if devices > 1 else "auto",
        plugins=[LightningEnvironment()],
        use_distributed_sampler=False,
        callbacks=[timer],
        precision=precision,  # type: ignore[arg-type]
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )


def _quiet() -> None:
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)

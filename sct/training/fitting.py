"""Train and test one task in one folder."""

import logging
import math
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback, Checkpoint
from pytorch_lightning.loggers import Logger
from pytorch_lightning.plugins.environments import LightningEnvironment  # type: ignore[attr-defined]
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.utilities.exceptions import SIGTERMException
from torch import Tensor

from sct.core.errors import SctError
from sct.core.sums import SumsTable
from sct.training.callbacks import BestAndLast, EpochTable, PatientStopping
from sct.training.checkpoint import read_checkpoint
from sct.training.checkpoint_io import AtomicCheckpointIO
from sct.training.datamodule import SliceDataModule
from sct.training.machine import choose_compile, choose_precision, compiled_training, prepared_machine
from sct.training.resume import checkpoint_to_resume
from sct.training.task import SynthesisTask

__all__ = ["ACCELERATORS", "PRECISIONS", "FitRecord", "TrainerSettings", "fit", "predict_slices", "test"]

PRECISIONS = ("auto", "32-true", "bf16-mixed", "16-mixed")
"""Those with float32 weights."""
ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps")


@dataclass(frozen=True)
class TrainerSettings:
    """How a task is trained.

    Attributes:
        max_epochs: Epochs at most.
        patience: Epochs without a smaller validation loss after which training stops.
        precision: `auto`, or one of `PRECISIONS`; the last convolution, the loss and the sums are in float32 anyway.
        accelerator: One of `ACCELERATORS`.
        devices: Processes, one device each; they share the batches. Several need `processes.run_together`.
        compile: Whether `torch.compile` is used; `auto` where the expected steps pay for it.
        checkpoint_every_s: Seconds between writings of checkpoints at least, 0 for each epoch; see `BestAndLast`. With
            several devices they are written each epoch.
    """

    max_epochs: int = 100
    patience: int = 5
    precision: str = "auto"
    accelerator: str = "auto"
    devices: int = 1
    compile: bool | str = "auto"
    checkpoint_every_s: float = 30.0

    def __post_init__(self) -> None:
        for key in ("max_epochs", "patience", "devices"):
            value = getattr(self, key)
            if not isinstance(value, int) or value < 1:
                raise SctError(f"trainer.{key}={value}: must be a whole number of at least 1")
        for key, choices in (("precision", PRECISIONS), ("accelerator", ACCELERATORS)):
            if getattr(self, key) not in choices:
                raise SctError(f"trainer.{key}={getattr(self, key)}: no such choice; one of {', '.join(choices)}")
        if self.compile not in (True, False, "auto"):
            raise SctError(f"trainer.compile={self.compile}: must be auto, true or false")
        every_s = self.checkpoint_every_s
        if isinstance(every_s, bool) or not isinstance(every_s, int | float) or not 0 <= every_s < math.inf:
            raise SctError(f"trainer.checkpoint_every_s={every_s}: must be a number of seconds, 0 for every epoch")

    def check_machine(self) -> None:
        """Find out whether this machine has what is asked for.

        Raises:
            SctError: It has not.
        """
        if self.accelerator in ("gpu", "cuda") and not torch.cuda.is_available():
            raise SctError(f"trainer.accelerator={self.accelerator}: torch finds no GPU here; auto takes what there is")
        if self.accelerator == "mps" and not torch.backends.mps.is_available():
            raise SctError("trainer.accelerator=mps: this machine has no Apple GPU; auto takes what there is")
        n_gpus = torch.cuda.device_count() if self.device().type == "cuda" else self.devices
        if self.devices > n_gpus:
            raise SctError(f"trainer.devices={self.devices}: there are {n_gpus} GPUs here")

    @property
    def backend(self) -> str:
        """How several processes talk to each other."""
        return "nccl" if self.device().type == "cuda" else "gloo"

    def device(self) -> torch.device:
        """The device that the first process trains on."""
        if self.accelerator == "cpu" or not torch.cuda.is_available():
            return torch.device("mps" if self.accelerator == "mps" else "cpu")
        return torch.device("cuda", 0)


@dataclass(frozen=True)
class FitRecord:
    """How a training went.

    Attributes:
        epochs: Epochs trained.
        best_epoch: Number of the epoch, from 0, whose weights were kept.
        stopped_early: Whether patience ended it, rather than `max_epochs`.
        train_slices_per_s: Median over the epochs after the first, which warms up.
        precision: The trainer's, as chosen on this machine.
        compiled: Whether `torch.compile` was used.
    """

    epochs: int
    best_epoch: int | None
    stopped_early: bool
    train_slices_per_s: float | None
    precision: str
    compiled: bool


@prepared_machine()
def fit(
    task: SynthesisTask,
    datamodule: SliceDataModule,
    folder: Path,
    settings: TrainerSettings,
    loggers: Sequence[Logger] = (),
) -> FitRecord:
    """Train, going on from `last.ckpt` when it is there; the task then has the best weights.

    Writes `best.ckpt`, `last.ckpt` and `metrics.csv` into `folder`.

    Raises:
        SctError: Training diverged in its first epoch, `last.ckpt` is not of this training, a file cannot be written,
            or torch cannot compile where that is asked for.
    """
    last = checkpoint_to_resume(folder, task)
    best_and_last = BestAndLast(folder, settings.checkpoint_every_s if settings.devices == 1 else 0.0)
    stopping = PatientStopping(settings.patience)
    table = EpochTable(folder / "metrics.csv")
    trainer = _trainer(settings, [best_and_last, stopping, table, _EpochLines(table), _EqualBuffers()], loggers, folder)
    batches = -(-len(datamodule.train_slices) // datamodule.batch_size)
    compiled = choose_compile(settings.compile, settings.device(), batches, settings.max_epochs)
    if compiled and settings.device().type == "cuda":
        datamodule.compile_maps()
    with _signals_told(), compiled_training(task.network) if compiled else nullcontext():
        trainer.fit(task, datamodule, ckpt_path=last)
    task.load_state_dict(_best_weights(best_and_last))
    speeds = [row["train_slices_per_s"] for row in table.rows[1:] or table.rows]
    return FitRecord(
        epochs=len(table.rows),
        best_epoch=best_and_last.best_epoch,
        stopped_early=stopping.stopped,
        train_slices_per_s=median(speeds) if speeds else None,
        precision=choose_precision(settings.precision, settings.device()),
        compiled=compiled,
    )


def _best_weights(kept: BestAndLast) -> dict[str, Tensor]:
    """Those of `best.ckpt`, which must be of the epoch that the training knows as its best.

    A run killed between the two files has a newer one; going on makes it again, unless on another machine.
    """
    found = read_checkpoint(kept.best_path)
    if found["epoch"] != kept.best_epoch:
        raise SctError(
            f"{kept.best_path}: of epoch {found['epoch']}, but the best of this training is {kept.best_epoch}; "
            "remove the folder to begin anew"
        )
    weights: dict[str, Tensor] = found["state_dict"]
    return weights


@prepared_machine()
def test(task: SynthesisTask, datamodule: SliceDataModule, folder: Path, settings: TrainerSettings) -> SumsTable:
    """Sums of the task's errors over the test slices.

    Raises:
        SctError: A prediction is not finite.
    """
    trainer = _trainer(settings, [], (), folder)
    with _signals_told():
        trainer.test(task, datamodule, verbose=False)
    assert task.test_sums is not None
    if not (folder / "best.ckpt").exists():  # a baseline: fitted without a trainer
        trainer.save_checkpoint(folder / "best.ckpt", weights_only=True)
    return task.test_sums


def predict_slices(task: SynthesisTask, mr: Tensor, settings: TrainerSettings) -> Tensor:
    """Gray sCT of gray MR in the precision of the test, both float32 (B, 1, S, S) on the CPU."""
    device = settings.device()
    bf16 = choose_precision(settings.precision, device).startswith("bf16")
    task = task.to(device).eval()
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        gray: Tensor = task(mr.to(device))
    return gray.float().cpu()


@contextmanager
def _signals_told() -> Iterator[None]:
    """Let an interrupted training end as any interrupted program does.

    Of Ctrl-C Lightning makes an exit that is deaf to a second one, of SIGTERM an exit with code 0, as if all were done.
    """
    try:
        yield
    except SIGTERMException as stop:
        print("terminated; the same command goes on from its last checkpoint", file=sys.stderr)
        raise SystemExit(128 + signal.SIGTERM) from stop
    except SystemExit as stop:
        if isinstance(stop.__context__, KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.default_int_handler)
            raise KeyboardInterrupt from stop
        raise


class _EpochLines(Checkpoint):
    """A line per epoch on stderr; a `Checkpoint` by type for the same reason as the table."""

    def __init__(self, table: EpochTable) -> None:
        super().__init__()
        self._table = table

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero and self._table.rows:
            row = self._table.rows[-1]
            losses = f"training loss {row['train_loss']:.4f}, validation loss {row['val_loss']:.4f}"
            print(f"epoch {row['epoch']}: {losses}, {row['train_slices_per_s']:.0f} slices/s", file=sys.stderr)


class _EqualBuffers(Callback):
    """Before each validation, the processes' running statistics become their mean, and so equal.

    DDP's own way, a broadcast at each forward pass, would wait for a process that has no slice of a last small batch.
    """

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.world_size > 1:
            for buffer in pl_module.buffers():
                if buffer.is_floating_point():
                    torch.distributed.all_reduce(buffer)
                    buffer /= trainer.world_size


_NOISE = (
    "`broadcast_buffers` is deprecated",  # its successor is not in every torch that we support
    "The `srun` command is available",  # SLURM starts our jobs through submitit
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # between Lightning and torch
    r"It is recommended to use `self\.log\('(train|val)_",  # these means are over all processes already
)
"""Beginnings of warnings of Lightning that say nothing to who runs a cell."""


def _trainer(settings: TrainerSettings, callbacks: list, loggers: Sequence[Logger], folder: Path) -> Trainer:  # type: ignore[type-arg]
    for message in _NOISE:
        warnings.filterwarnings("ignore", message=message)
    device = settings.device()
    strategy: DDPStrategy | str = "auto"
    if settings.devices > 1:
        strategy = DDPStrategy(process_group_backend=settings.backend, broadcast_buffers=False)
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)  # its notes on devices say nothing of the run
    return Trainer(
        accelerator=settings.accelerator,
        devices=settings.devices,
        strategy=strategy,
        # Batch norm over the global batch, as one process has it; torch offers it on GPUs only. On CPUs each process
        # normalises by its share of the batch.
        sync_batchnorm=settings.devices > 1 and device.type == "cuda",
        precision=choose_precision(settings.precision, device),  # type: ignore[arg-type]
        max_epochs=settings.max_epochs,
        callbacks=callbacks,
        enable_progress_bar=sys.stderr.isatty(),  # a log file has the line per epoch instead
        logger=list(loggers) or False,
        # Batches are dealt to the processes by the data module; SLURM's processes are not Lightning's to start, nor
        # its signals Lightning's to handle.
        use_distributed_sampler=False,
        log_every_n_steps=1,  # what is logged is logged once an epoch
        plugins=[AtomicCheckpointIO(), LightningEnvironment()],
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_checkpointing=bool(callbacks),
        default_root_dir=str(folder),
    )

"""What happens at the end of each epoch: stop or go on, keep the best weights, keep the state, write the table.

Source: Bambach & Ho 2022, Methods: training stops when the validation loss has not decreased for 5 epochs; the weights
of the smallest are kept.
"""

import csv
import io
import math
import sys
import time
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint, EarlyStopping

from sct.core.errors import SctError
from sct.core.files import write_text
from sct.training.checkpoint_io import AtomicCheckpointIO, HeldCheckpointIO

__all__ = ["BestAndLast", "EpochTable", "PatientStopping"]


class PatientStopping(EarlyStopping):
    """Stops when `val_loss` has not decreased for `patience` epochs; a resumed run stops where the run would have.

    Args:
        patience: Epochs.
    """

    def __init__(self, patience: int = 5) -> None:
        super().__init__("val_loss", patience=patience, mode="min")

    @property
    def stopped(self) -> bool:
        """Whether patience, or a loss that is not finite, ended the training."""
        return self.stopped_epoch > 0  # 0 while training goes on; Lightning before 2.6 keeps no reason

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End at once when the run that is resumed had already come to its end."""
        if self.stopped:
            trainer.should_stop = True


class BestAndLast(Checkpoint):
    """Keeps `best.ckpt` (weights of the smallest `val_loss`) and `last.ckpt` (everything, of the last whole epoch).

    Both are replaced atomically: a kill at any moment leaves a `last.ckpt` from which the run goes on to the same
    result. With `every_s`, copies are held in memory. They are written at the end of the first epoch, then at that of
    each epoch when so long has passed, and when training ends, is interrupted or fails.

    Args:
        folder: Where they are written.
        every_s: Seconds between writings at least; 0 to hold nothing, as several processes must, which wait for a file.

    Attributes:
        best_epoch: Number of the best epoch, from 0; None before the first.
        best_val_loss: Its validation loss.
    """

    def __init__(self, folder: Path, every_s: float = 0.0) -> None:
        super().__init__()
        self._every_s = every_s
        self._written_s = -math.inf
        self._held = HeldCheckpointIO() if every_s > 0 else None
        self.best_path = Path(folder) / "best.ckpt"
        self.last_path = Path(folder) / "last.ckpt"
        self.best_epoch: int | None = None
        self.best_val_loss = float("inf")

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Have the trainer write and read checkpoints safely."""
        trainer.strategy.checkpoint_io = self._held or AtomicCheckpointIO()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the epoch's state, and write it when it is time.

        Raises:
            SctError: The first epoch's validation loss is not finite, or a file cannot be written.
        """
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, EpochTable):
                callback.record(trainer)  # in any order of the callbacks, the saved state has the epoch's row
        val_loss = float(trainer.callback_metrics["val_loss"])
        if val_loss < self.best_val_loss:
            self.best_epoch, self.best_val_loss = trainer.current_epoch, val_loss
            trainer.save_checkpoint(self.best_path, weights_only=True)
        elif self.best_epoch is None:
            raise SctError(f"the validation loss of the first epoch is {val_loss}: training diverged; lower the rate")
        trainer.save_checkpoint(self.last_path)
        if self._held is not None:
            self._held.hold()
            if time.monotonic() - self._written_s >= self._every_s:
                self._held.write()
                self._written_s = time.monotonic()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write what is still held."""
        if self._held is not None:
            self._held.write()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Write what is still held; where that fails too, the exception is what is told, and this only beside it."""
        if self._held is None:
            return
        try:
            self._held.write()
        except Exception as error:  # after a fault of a GPU nothing can be read from it
            print(f"what was held since the last checkpoint is lost: {error}", file=sys.stderr)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must know."""
        return {"best_epoch": self.best_epoch, "best_val_loss": self.best_val_loss}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it up again."""
        self.best_epoch, self.best_val_loss = state_dict["best_epoch"], state_dict["best_val_loss"]


class EpochTable(Checkpoint):
    """Writes `metrics.csv`, one row per epoch, whole and atomically each time; a resumed run has each epoch once.

    Columns: epoch (from 0), train_loss, val_loss, learning_rate, train_slices_per_s (training without validation, all
    processes), seconds (both).

    A `Checkpoint` by type, because Lightning calls only these after the task has logged its epoch.

    Args:
        path: The file.

    Attributes:
        rows: The rows so far.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = Path(path)
        self.rows: list[dict[str, float]] = []
        self._start_s = 0.0
        self._trained_s = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._start_s = time.perf_counter()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Training of this epoch is over: read the clock when the device has done its work."""
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize(pl_module.device)
        self._trained_s = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add the epoch's row and write the table."""
        self.record(trainer)

    def record(self, trainer: Trainer) -> None:
        """Add the current epoch's row, unless it is there, and write the table."""
        if self.rows and self.rows[-1]["epoch"] == trainer.current_epoch:
            return
        metrics = trainer.callback_metrics
        n_slices = len(trainer.datamodule.train_slices)  # type: ignore[attr-defined]
        self.rows.append(
            {
                "epoch": trainer.current_epoch,
                "train_loss": float(metrics["train_loss"]),
                "val_loss": float(metrics["val_loss"]),
                "learning_rate": float(trainer.optimizers[0].param_groups[0]["lr"]),
                "train_slices_per_s": n_slices / (self._trained_s - self._start_s),
                "seconds": time.perf_counter() - self._start_s,
            }
        )
        if trainer.is_global_zero:
            text = io.StringIO()
            writer = csv.DictWriter(text, list(self.rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)
            write_text(self.path, text.getvalue())

    def state_dict(self) -> dict[str, Any]:
        """The rows so far."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take them up again."""
        self.rows = list(state_dict["rows"])

"""The Lightning task: network, loss, optimiser, sums.

Source: Bambach & Ho 2022, Methods: Adam with default parameters; pixel-wise metrics over all test slices.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim import Optimizer

from sct.core.pixel_sums import SumsLayout
from sct.core.sums import RowKey, SumsTable
from sct.preparation.store import CHANNELS
from sct.training.datamodule import SliceBatch, SliceDataModule
from sct.training.metrics import PixelSums
from sct.training.randomness import derive_seed

__all__ = ["SynthesisTask", "adam"]

_CT, _MASK = CHANNELS.index("ct"), CHANNELS.index("mask")


def adam(parameters: Iterable[Parameter]) -> Optimizer:
    """Adam with Keras' defaults, the paper's: lr 1e-3, betas .9 and .999, eps 1e-7; one fused step for all."""
    return torch.optim.Adam(parameters, lr=1e-3, eps=1e-7, fused=True)


class SynthesisTask(LightningModule):
    """Trains a network to turn gray MR slices into gray CT slices, and sums up its test errors.

    Losses are logged per epoch as `train_loss` and `val_loss`, and the error in HU as `val_mae_hu`: true means over the
    slices of the epoch (training: as the weights were when each batch came). No step waits for the device.

    Args:
        network: (B, 1, H, W) gray 0..1 -> the same.
        loss: (prediction, target) -> scalar mean over the batch, on gray values in float32.
        optimizer: Makes the optimiser of the parameters.
        seed: The run's seed; all draws of the network itself (dropout) come from (seed, epoch).
        hyper_parameters: Kept in checkpoints under that name: plain types only.
        layout: What is summed in the test.
        sums_by_slice: Rows of the test sums are single slices instead of participants x planes.
        channels_last: Lay the network's tensors out channels last; faster on every device we know.

    Attributes:
        test_sums: The sums of the last test; None before.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Callable[[Tensor, Tensor], Tensor],
        optimizer: Callable[[Iterable[Parameter]], Optimizer] = adam,
        seed: int = 0,
        hyper_parameters: Mapping[str, Any] | None = None,
        layout: SumsLayout | None = None,
        sums_by_slice: bool = False,
        channels_last: bool = True,
    ) -> None:
        super().__init__()
        if channels_last:
            network = network.to(memory_format=torch.channels_last)
        self.network = network
        self.loss = loss
        self.test_sums: SumsTable | None = None
        self._optimizer = optimizer
        self._seed = seed
        self._hyper_parameters = dict(hyper_parameters or {})
        self._layout = layout or SumsLayout()
        self._sums_by_slice = sums_by_slice
        self._row_keys: list[RowKey] = []
        self._pixel_sums: PixelSums | None = None
        self._row_of: Tensor
        self._train_loss: Tensor  # sum of losses over slices, number of slices
        self._val_loss: Tensor
        self._val_error: Tensor  # the same of absolute errors, gray

    def forward(self, mr: Tensor) -> Tensor:
        """Gray sCT of gray MR, float32 (B, 1, H, W)."""
        gray: Tensor = self.network(mr)
        return gray

    def configure_optimizers(self) -> Optimizer:
        """The optimiser of all parameters."""
        return self._optimizer(self.parameters())

    def on_train_epoch_start(self) -> None:
        """Draws of the epoch come from (seed, epoch), those of the augmentation too (see the data module)."""
        torch.manual_seed(derive_seed(self._seed, "network", self.current_epoch, self.global_rank))
        self._train_loss = self._zero_mean()

    def training_step(self, batch: SliceBatch, batch_idx: int) -> Tensor:
        """Loss of a batch, weighted so that the gradient is that of the global batch's mean."""
        loss = self._batch_loss(batch, self._train_loss)
        return loss if batch.share == 1.0 else loss * batch.share

    def on_train_epoch_end(self) -> None:
        """Log the epoch's mean training loss."""
        self._log_mean("train_loss", self._train_loss)

    def on_validation_epoch_start(self) -> None:
        """Start the means."""
        self._val_loss, self._val_error = self._zero_mean(), self._zero_mean()

    def validation_step(self, batch: SliceBatch, batch_idx: int) -> None:
        """Add a batch's loss and absolute error."""
        self._batch_loss(batch, self._val_loss, self._val_error)

    def on_validation_epoch_end(self) -> None:
        """Log the epoch's mean validation loss, and MAE in HU, which compares between losses."""
        self._log_mean("val_loss", self._val_loss)
        self._log_mean("val_mae_hu", self._val_error, self._layout.window.width_hu)

    def on_test_start(self) -> None:
        """Lay out the rows of the sums: the trainer's data module knows the slices."""
        datamodule: SliceDataModule = self.trainer.datamodule  # type: ignore[attr-defined]
        self._row_keys, rows = datamodule.test_slices.rows(by_slice=self._sums_by_slice)
        self._row_of = torch.from_numpy(rows).to(self.device)
        self._pixel_sums = PixelSums(len(self._row_keys), self._layout).to(self.device)

    def test_step(self, batch: SliceBatch, batch_idx: int) -> None:
        """Add a batch's sums."""
        assert self._pixel_sums is not None
        ct, mask = batch.levels[:, _CT : _CT + 1], batch.levels[:, _MASK : _MASK + 1]
        self._pixel_sums.update(self(batch.mr), ct, mask, self._row_of.index_select(0, batch.numbers))

    def on_test_epoch_end(self) -> None:
        """Put the sums of all processes together, as `test_sums`.

        Raises:
            SctError: A prediction was not finite.
        """
        assert self._pixel_sums is not None
        matrix = self._pixel_sums.compute().tolist()
        self.test_sums = SumsTable.from_matrix(self._row_keys, self._layout.columns, matrix)
        self._pixel_sums = None

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the hyper-parameters as plain types."""
        checkpoint["hyper_parameters"] = self._hyper_parameters

    def _batch_loss(self, batch: SliceBatch, mean: Tensor, error: Tensor | None = None) -> Tensor:
        """Mean loss of a batch, also added to an epoch's weighted sum, and its absolute error to another."""
        prediction = self(batch.mr)
        with torch.autocast(prediction.device.type, enabled=False):
            loss = self.loss(prediction.float(), batch.ct)
        n = len(batch.numbers)
        mean[0] += loss.detach() * n
        mean[1] += n
        if error is not None:
            error[0] += (prediction.float() - batch.ct).abs().mean() * n
            error[1] += n
        return loss

    def _zero_mean(self) -> Tensor:
        """Weighted sum of losses and number of slices, in float64 where the device has it."""
        return torch.zeros(2, device=self.device, dtype=torch.float32 if self.device.type == "mps" else torch.float64)

    def _log_mean(self, name: str, mean: Tensor, unit: float = 1.0) -> None:
        total: Tensor = self.trainer.strategy.reduce(mean, reduce_op="sum")
        self.log(name, (unit * total[0] / total[1]).float(), batch_size=1)

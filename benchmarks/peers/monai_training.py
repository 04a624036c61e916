"""The peer: a plain Lightning + MONAI training script, as their tutorials write it."""

import numpy as np
import torch
from monai.data import CacheDataset, DataLoader
from monai.transforms import (
    Compose,
    EnsureTyped,
    RandFlipd,
    RandRotated,
    RandZoomd,
    ScaleIntensityRanged,
)
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn

KEYS = ("mr", "ct")


class PlainTask(LightningModule):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.loss = nn.L1Loss()

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(self.network(batch["mr"]), batch["ct"])
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def train(
    network: nn.Module,
    mr: np.ndarray,
    ct: np.ndarray,
    batch_size: int,
    timer: Callback,
    steps: int,
    workers: int = 2,
    device: str = "cpu",
    precision: str = "32-true",
) -> None:
    """So many steps of an epoch over slices (N, H, W) uint8; `timer` sees each.

    On a GPU with what such scripts turn on there: pinned memory, cuDNN's benchmark mode.
    """
    transforms = Compose(
        [
            EnsureTyped(KEYS),
            ScaleIntensityRanged(KEYS, 0, 255, 0.0, 1.0),
            RandFlipd(KEYS, prob=0.5, spatial_axis=0),
            RandFlipd(KEYS, prob=0.5, spatial_axis=1),
            RandRotated(KEYS, range_x=np.pi / 18, prob=1.0, padding_mode="zeros"),
            RandZoomd(KEYS, min_zoom=1.0, max_zoom=1 / 0.9, prob=1.0, mode="bilinear", padding_mode="constant"),
        ]
    )
    data = CacheDataset(
        [{"mr": a[None], "ct": b[None]} for a, b in zip(mr, ct, strict=True)], transforms, progress=False
    )
    on_gpu = device == "cuda"
    loader = DataLoader(
        data,
        batch_size=batch_size,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=on_gpu,
    )
    trainer = Trainer(
        max_epochs=1,
        max_steps=steps,
        accelerator="gpu" if on_gpu else "cpu",
        devices=1,
        precision=precision,
        benchmark=on_gpu,
        callbacks=[timer],
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    trainer.fit(PlainTask(network), loader)

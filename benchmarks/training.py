"""Training throughput against a plain Lightning + MONAI script with the same network.

    python -m benchmarks.training [--repeats 3] [--steps 12] [--threads 2]

Slices/s over the steps after a warm-up, 224 px, batch 16, two CPU cores. Both sides train Light U-Net with MAE on the
same synthetic slices; the peer in float32 with two workers, ours as `sct.run` does it.
"""

import argparse
import logging
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback, Trainer

from benchmarks.side_by_side import compare, main_of_sides
from sct.models.light_unet import LightUNet

SIZE_PX = 224
BATCH = 16
WARM_UP_STEPS = 3


class StepTimer(Callback):
    """Slices/s from the end of the warm-up to the end of the training."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, *_: Any) -> None:
        self.ends.append(time.perf_counter())

    @property
    def slices_per_s(self) -> float:
        ends = self.ends[WARM_UP_STEPS - 1 :]
        return BATCH * (len(ends) - 1) / (ends[-1] - ends[0])


def slices(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Masked slices (n, 224, 224) uint8: smooth texture inside an ellipse, 0 outside."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1 : 1 : SIZE_PX * 1j, -1 : 1 : SIZE_PX * 1j]
    coarse = torch.from_numpy(rng.random((n, 2, 16, 16), np.float32))
    images = torch.nn.functional.interpolate(coarse, size=SIZE_PX, mode="bicubic").clamp(0, 1).numpy()
    levels = np.rint(images * (np.hypot(x, y / 1.1) < 0.9) * 255).astype(np.uint8)
    return levels[:, 0], levels[:, 1]


def ours(n: int) -> float:
    from sct.preparation.store import Geometry, ParticipantRecord, SliceStore, write_participant
    from sct.training.augment import AugmentSettings
    from sct.training.datamodule import SliceDataModule
    from sct.training.folds import Split
    from sct.training.machine import choose_precision, prepare_machine
    from sct.training.task import SynthesisTask

    mr, ct = slices(n)
    timer = StepTimer()
    with tempfile.TemporaryDirectory() as folder:
        numbers = np.arange(n)
        record = ParticipantRecord(
            participant_id="p",
            fingerprint="0" * 16,
            settings={"size_px": SIZE_PX},
            geometry=Geometry((n, n, n), np.eye(4), 1.0),
            mr_range=(0.0, 255.0),
            planes=numbers % 3,
            indices=numbers // 3,
            rows=0 * numbers,
            cols=0 * numbers,
            sides=0 * numbers + SIZE_PX,
        )
        write_participant(Path(folder), record, [np.stack([mr, ct, np.where(ct > 0, 255, 0).astype(np.uint8)])])
        split = Split({"p": numbers}, {"p": numbers[:1]}, {"p": numbers[:1]})
        data = SliceDataModule(SliceStore(Path(folder)), split, batch_size=BATCH, augment=AugmentSettings())
        prepare_machine()
        torch.manual_seed(0)
        trainer = Trainer(
            max_epochs=1,
            accelerator="cpu",
            callbacks=[timer],
            precision=choose_precision("auto", torch.device("cpu")),  # type: ignore[arg-type]
            limit_val_batches=0,
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=False,
        )
        trainer.fit(SynthesisTask(LightUNet(), torch.nn.L1Loss()), datamodule=data)
    return timer.slices_per_s


def monai(n: int) -> float:
    from benchmarks.peers.monai_training import train

    timer = StepTimer()
    train(LightUNet(), *slices(n), BATCH, timer)
    return timer.slices_per_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--side", choices=("ours", "monai"))
    arguments = parser.parse_args()
    if arguments.side is None:
        print("## Training: Light U-Net, 224 px, batch 16\n")
        words = ("--steps", str(arguments.steps))
        compare("benchmarks.training", "ours", "monai", "slices/s", arguments.repeats, arguments.threads, *words)
        return
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    torch.set_num_threads(arguments.threads)
    n = BATCH * (arguments.steps + WARM_UP_STEPS)
    main_of_sides({"ours": lambda: ours(n), "monai": lambda: monai(n)}, arguments.side)


if __name__ == "__main__":
    main()

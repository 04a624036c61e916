"""Lightning data module over a slice store: uint8 all the way to the training device.

Source: Bambach & Ho 2022, Methods: batch 128, random batching, augmentation in training.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor

from sct.core.errors import SctError
from sct.preparation.store import CHANNELS, SliceStore
from sct.training.augment import AugmentSettings, apply_affine, gray_by_pixel
from sct.training.folds import Split
from sct.training.loader import BatchPlan, HostBatch, SliceLoader
from sct.training.memory import available_bytes
from sct.training.slices import MappedSlices, PixelSource, ResidentSlices, SliceSet, load_resident

__all__ = ["Resident", "SliceBatch", "SliceDataModule", "check_loading"]

Resident = Literal["auto", "device", "memory", "mapped"]
_MR, _CT, _MASK = (CHANNELS.index(name) for name in ("mr", "ct", "mask"))
_PAIR = slice(_MR, _CT + 1)  # a view; indexing by a list would send the list to the device at each step


class SliceBatch(NamedTuple):
    """A batch on the training device.

    Attributes:
        mr: Gray values 0..1, float32 (B, 1, S, S).
        ct: Gray values 0..1, float32 (B, 1, S, S).
        levels: Stored pixels, uint8 (B, 3, S, S), channels as `CHANNELS`; not augmented.
        numbers: Numbers of the slices in their set, int64 (B,).
        share: Weight of this process's mean loss (see `HostBatch`).
    """

    mr: Tensor
    ct: Tensor
    levels: Tensor
    numbers: Tensor
    share: float


class SliceDataModule(LightningDataModule):
    """Batches of training, validation and test slices.

    Every draw comes from (seed, epoch, step): a resumed run sees the batches that the uninterrupted one would have
    seen, and two processes share the global batches that one would have had. Batches are dealt to the processes here,
    none is padded (Lightning leaves loaders other than torch's alone). The last batch of an epoch is kept.

    Args:
        store: The slices.
        split: Which of them are for training, validation and test.
        seed: The run's seed.
        batch_size: Slices of a global batch, over all processes.
        eval_batch_size: The same for validation and test; as `batch_size` by default.
        augment: Laws of the random maps in training; None for none.
        resident: Where the uint8 pixels lie: `device`, the training device; `memory`, the CPU's memory; `mapped`, read
            from disk batch by batch; `auto`, the first of these that at most half of what is free holds.

    Attributes:
        train_slices, val_slices, test_slices: What the three parts hold.
        batch_size: Slices of a global batch in training.
    """

    def __init__(
        self,
        store: SliceStore,
        split: Split,
        seed: int = 0,
        batch_size: int = 128,
        eval_batch_size: int | None = None,
        augment: AugmentSettings | None = None,
        resident: Resident = "auto",
    ) -> None:
        super().__init__()
        check_loading(batch_size, resident)
        check_loading(batch_size if eval_batch_size is None else eval_batch_size, resident)
        self.train_slices, self.val_slices, self.test_slices = (
            SliceSet.of(store, part) for part in (split.train, split.val, split.test)
        )
        self._seed = seed
        self.batch_size = batch_size
        self._eval_batch_size = eval_batch_size or batch_size
        self._augment = augment
        self._resident = resident
        self._sources: dict[str, PixelSource] = {}
        self._mapped: Callable[[Tensor, Tensor], Tensor] = _mapped_by_torch

    def compile_maps(self) -> None:
        """Have conversion to gray and augmentation compiled into one kernel: on a GPU eager ones are a dozen."""
        self._mapped = torch.compile(gray_by_pixel, dynamic=True)

    def setup(self, stage: str) -> None:
        """Bring the pixels of a stage to where they shall lie."""
        parts = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",)}.get(stage, ())
        device = self._device()
        where = choose_resident(self._resident, sum(self._set(part).n_bytes for part in parts), device)
        for part in parts:
            if where == "mapped":
                self._sources[part] = MappedSlices(self._set(part))
            else:
                home = device if where == "device" else torch.device("cpu")
                self._sources[part] = load_resident(self._set(part), home)

    def teardown(self, stage: str) -> None:
        """Let the pixels go."""
        self._sources.clear()

    def train_dataloader(self) -> SliceLoader:
        """Random batches, augmented."""
        return self._loader("train", self.batch_size, self._seed, self._augment)

    def val_dataloader(self) -> SliceLoader:
        """Validation batches in a fixed order."""
        return self._loader("val", self._eval_batch_size)

    def test_dataloader(self) -> SliceLoader:
        """Test batches in a fixed order, each slice once whatever the number of processes."""
        return self._loader("test", self._eval_batch_size)

    def on_after_batch_transfer(self, batch: HostBatch, dataloader_idx: int) -> SliceBatch:
        """Gather what is resident, convert to gray and augment, on the training device."""
        levels = batch.levels
        if levels is None:
            trainer = self.trainer
            part = "train" if trainer is not None and trainer.training else "val"
            if trainer is not None and trainer.testing:
                part = "test"
            levels = self._sources[part].gather(batch.numbers)
        pair = levels[:, _PAIR]
        gray = pair / 255 if batch.theta is None else self._mapped(pair, batch.theta)
        return SliceBatch(gray[:, :1], gray[:, 1:], levels, batch.numbers, batch.share)

    def plain_batches(self, part: Literal["train", "val", "test"] = "train") -> "PlainBatches":
        """Batches (mr, ct, mask), each (B, 1, S, S) float32 0..1, of all slices of a part, on the CPU, in order.

        For methods that are fitted without a network. They are read from disk anew at each iteration.
        """
        return PlainBatches(self._set(part), self._eval_batch_size)

    def _set(self, part: str) -> SliceSet:
        return {"train": self.train_slices, "val": self.val_slices, "test": self.test_slices}[part]

    def _device(self) -> torch.device:
        return torch.device("cpu") if self.trainer is None else self.trainer.strategy.root_device

    def _loader(
        self, part: str, batch_size: int, seed: int | None = None, augment: AugmentSettings | None = None
    ) -> SliceLoader:
        trainer = self.trainer
        rank, world_size = (0, 1) if trainer is None else (trainer.global_rank, trainer.world_size)
        check_loading(batch_size, self._resident, world_size)
        plan = BatchPlan(len(self._set(part)), batch_size, seed, augment, rank, world_size)
        source, device = self._sources[part], self._device()
        on_device = isinstance(source, ResidentSlices) and source.levels.device.type == device.type
        return SliceLoader(
            plan,
            None if on_device else source,
            lambda: 0 if trainer is None else trainer.current_epoch,
            pin=device.type == "cuda",
            read_ahead=not on_device,
        )


class PlainBatches(Iterable[tuple[Tensor, Tensor, Tensor]]):
    """Batches of a set in order, read from disk at each iteration."""

    def __init__(self, slices: SliceSet, batch_size: int) -> None:
        self._slices = slices
        self.batch_size = batch_size

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for host in SliceLoader(BatchPlan(len(self._slices), self.batch_size), MappedSlices(self._slices)):
            assert host.levels is not None
            mr, ct, mask = (host.levels[:, c : c + 1].float().div_(255) for c in (_MR, _CT, _MASK))
            yield mr, ct, mask


def _mapped_by_torch(pair: Tensor, theta: Tensor) -> Tensor:
    return apply_affine(pair / 255, theta)


def check_loading(batch_size: object, resident: object, n_processes: int = 1) -> None:
    """Look at settings of the data module that need no data.

    Raises:
        SctError: One is wrong, or processes would be left without a slice of a batch.
    """
    if not isinstance(batch_size, int) or batch_size < 1:
        raise SctError(f"data.batch_size={batch_size}: must be a whole number of at least 1")
    if batch_size < n_processes:
        raise SctError(f"data.batch_size={batch_size}: must be at least the number of processes, {n_processes}")
    if resident not in ("auto", "device", "memory", "mapped"):
        raise SctError(f"data.resident={resident}: must be auto, device, memory or mapped")


def choose_resident(wanted: Resident, n_bytes: int, device: torch.device) -> Resident:
    """Where pixels of `n_bytes` shall lie; on the CPU the device is the memory."""
    if wanted != "auto":
        return "memory" if wanted == "device" and device.type == "cpu" else wanted
    if device.type == "cuda" and n_bytes <= torch.cuda.mem_get_info(device)[0] / 2:
        return "device"
    return "memory" if n_bytes <= available_bytes() / 2 else "mapped"

"""Batches of slices: their order and their random maps come from (seed, epoch, step) alone."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sct.training.augment import AugmentSettings, sample_affine
from sct.training.randomness import derive_seed
from sct.training.slices import PixelSource

__all__ = ["BatchPlan", "HostBatch", "SliceLoader"]


class HostBatch(NamedTuple):
    """What leaves the loader; everything on the CPU.

    Attributes:
        numbers: Numbers of the slices in their set, int64 (B,).
        levels: Their pixels, uint8 (B, 3, S, S); None when these are resident on the training device.
        theta: Random maps, float32 (B, 2, 3); None without augmentation.
        share: In training, slices here times processes over slices of the global batch: 1 when all processes have
            equally many.
    """

    numbers: Tensor
    levels: Tensor | None
    theta: Tensor | None
    share: float


@dataclass(frozen=True)
class BatchPlan:
    """Which slices make which batch, and how they are mapped.

    Global batches are planned, then dealt to the processes, so that draws do not depend on their number: in training
    each process gets a part of every batch; in evaluation the processes take whole batches in turn, since a network may
    round otherwise in batches of another size and the sums shall be those of one process.

    Attributes:
        n: Slices in the set.
        batch_size: Slices of a global batch; the last one of an epoch is kept and may be smaller.
        seed: The run's seed when batches are drawn at random anew each epoch; None keeps the set's order.
        augment: Laws of the random maps; None for none.
        rank: Number of this process.
        world_size: Number of processes.
    """

    n: int
    batch_size: int
    seed: int | None = None
    augment: AugmentSettings | None = None
    rank: int = 0
    world_size: int = 1

    def __post_init__(self) -> None:
        if self.batch_size < self.world_size:
            raise ValueError(f"batch_size {self.batch_size} must be at least the number of processes {self.world_size}")
        if self.augment is not None and self.seed is None:
            raise ValueError("augmentation needs a seed")

    def __len__(self) -> int:
        """Batches of this process."""
        full, rest = divmod(self.n, self.batch_size)
        if self.seed is None:
            return len(range(self.rank, full + (rest > 0), self.world_size))
        # A shuffled rest with less than one slice per process is left out of its epoch: a process without a batch
        # would leave the others waiting.
        return full + (rest >= self.world_size)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Slices of all processes in the order of an epoch, (n,)."""
        if self.seed is None:
            return np.arange(self.n)
        return np.random.default_rng(derive_seed(self.seed, "order", epoch)).permutation(self.n)

    def batch(self, order: NDArray[np.int64], epoch: int, step: int) -> HostBatch:
        """The batch of step `step` of this process, without pixels."""
        if self.seed is None:
            first = (step * self.world_size + self.rank) * self.batch_size
            return HostBatch(torch.from_numpy(order[first : first + self.batch_size].copy()), None, None, 1.0)
        index = order[step * self.batch_size : (step + 1) * self.batch_size]
        mine = torch.from_numpy(index[self.rank :: self.world_size].copy())
        theta = None
        if self.augment is not None:
            generator = torch.Generator().manual_seed(derive_seed(self.seed, "augment", epoch, step))
            theta = sample_affine(len(index), self.augment, generator)[self.rank :: self.world_size].contiguous()
        return HostBatch(mine, None, theta, len(mine) * self.world_size / len(index))


class SliceLoader:
    """Iterates over the batches of an epoch; each iteration asks for the epoch's number anew.

    Args:
        plan: The batches.
        source: Where pixels are read on the host; None when they are resident on the training device.
        epoch: Gives the number of the epoch.
        pin: Put tensors into page-locked memory, so that copies to a GPU wait for nothing.
        read_ahead: Read the next batch in a thread while this one is used.
    """

    def __init__(
        self,
        plan: BatchPlan,
        source: PixelSource | None,
        epoch: Callable[[], int] = lambda: 0,
        *,
        pin: bool = False,
        read_ahead: bool = False,
    ) -> None:
        self.plan = plan
        self._source = source
        self._epoch = epoch
        self._pin = pin
        self._read_ahead = read_ahead

    def __len__(self) -> int:
        # At least 1, for a process that no batch is left for: Lightning would keep it out of the epoch's end, where
        # the others wait for its sums.
        return max(1, len(self.plan))

    def __iter__(self) -> Iterator[HostBatch]:
        epoch = self._epoch()
        order = self.plan.order(epoch)

        def read(step: int) -> HostBatch:
            return self._read(self.plan.batch(order, epoch, step))

        if not self._read_ahead:
            yield from map(read, range(len(self.plan)))
            return
        with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as pool:
            pending = pool.submit(read, 0) if len(self.plan) else None
            for step in range(len(self.plan)):
                assert pending is not None
                batch = pending.result()
                pending = pool.submit(read, step + 1) if step + 1 < len(self.plan) else None
                yield batch

    def _read(self, batch: HostBatch) -> HostBatch:
        if self._source is not None:
            batch = batch._replace(levels=self._source.gather(batch.numbers))
        if self._pin:
            levels = None if batch.levels is None else batch.levels.pin_memory()
            theta = None if batch.theta is None else batch.theta.pin_memory()
            batch = HostBatch(batch.numbers.pin_memory(), levels, theta, batch.share)
        return batch

"""Bone metrics over 7 thresholds against torchmetrics, and the cost of all sums.

Slices/s at 224 px in batches of 16. Both sides see the same float images, and must say the same.
"""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.child import threads
from benchmarks.harness import Plan, Ratio, Side, Stage

__all__ = ["stages"]

_LEAST_S = 0.5
"""One pass takes the faster side a thirtieth of a second, in which a first touch of memory counts."""


def stages(plan: Plan) -> list[Stage]:
    """The bone metrics alone and all sums, against torchmetrics' metrics one by one and as collections that share."""
    size = {"size_px": 32, "n_batches": 2} if plan.tiny else {"size_px": 224, "n_batches": 8}
    common = size | {"device": plan.device}
    names = {"ours": "ours", "all sums": "all_sums", "torchmetrics": "peer", "torchmetrics, grouped": "grouped_peer"}
    ratios = [
        Ratio("ours", "torchmetrics", 20.0),
        Ratio("ours", "torchmetrics, grouped"),
        Ratio("all sums", "torchmetrics"),
    ]
    sides = {title: Side(f"benchmarks.metrics:{name}", common) for title, name in names.items()}
    return [Stage("Bone metrics over 7 thresholds, 224 px", "slices/s", sides, ratios, 300 if plan.full else 100)]


def ours(size_px: int, n_batches: int, device: str) -> float:
    """`BoneOverlap`."""
    from benchmarks.peers.torchmetrics_bone import BoneMetrics
    from sct.training.metrics import BoneOverlap

    data = _batches(size_px, n_batches, device)
    mine, peer = BoneOverlap().to(device), BoneMetrics(grouped=True, device=device)
    for prediction, target in data[:2]:
        mine.update(prediction, target)
        peer.update(prediction, target)
    for name, value in peer.compute().items():
        difference = abs(value - float(mine.compute()[f"bone_{name}"]))
        if difference > 1e-3:  # torchmetrics thresholds in binary floating point, so a few pixels may differ
            raise ValueError(f"the sides disagree on {name} by {difference}")
    metric = BoneOverlap().to(device)
    return _slices_per_s(data, metric.update, metric.compute)


def all_sums(size_px: int, n_batches: int, device: str) -> float:
    """Both scopes, errors, moments, tissue classes and bone counts, as the test of `sct.run` makes them."""
    from sct.training.metrics import PixelSums

    metric = PixelSums().to(device)
    data = _batches(size_px, n_batches, device)
    return _slices_per_s(data, lambda p, t: metric.update(p, t, t > 0.2), metric.compute)


def peer(size_px: int, n_batches: int, device: str, grouped: bool = False) -> float:
    """torchmetrics' three metrics for each threshold."""
    from benchmarks.peers.torchmetrics_bone import BoneMetrics

    metric = BoneMetrics(grouped=grouped, device=device)
    return _slices_per_s(_batches(size_px, n_batches, device), metric.update, metric.compute)


def grouped_peer(**arguments: Any) -> float:
    """The same, each threshold's three figures from shared counts."""
    return peer(**arguments, grouped=True)


def _batches(size_px: int, n_batches: int, device: str, batch: int = 16) -> list[tuple[Tensor, Tensor]]:
    torch.set_num_threads(threads())
    generator = torch.Generator().manual_seed(0)
    target = [torch.rand(batch, 1, size_px, size_px, generator=generator) for _ in range(n_batches)]
    noise = [0.1 * torch.randn(batch, 1, size_px, size_px, generator=generator) for _ in range(n_batches)]
    return [((t + n).clamp(0, 1).to(device), t.to(device)) for t, n in zip(target, noise, strict=True)]


def _slices_per_s(
    data: list[tuple[Tensor, Tensor]], update: Callable[[Tensor, Tensor], object], finish: Callable[[], object]
) -> float:
    update(*data[0])
    finish()
    start, n_slices = time.perf_counter(), 0
    while not n_slices or time.perf_counter() - start < _LEAST_S:
        for prediction, target in data:
            update(prediction, target)
            n_slices += len(prediction)
        finish()
    return n_slices / (time.perf_counter() - start)

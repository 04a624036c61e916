"""Bone metrics over 7 thresholds against torchmetrics, and the cost of all sums.

    python -m benchmarks.metrics [--repeats 3] [--threads 2]

Slices/s at 224 px in batches of 16 on the CPU. Both sides see the same float images; their figures are compared.
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.side_by_side import compare, main_of_sides

BATCH, SIZE_PX, N_BATCHES = 16, 224, 8
SIDES = ("ours", "torchmetrics", "torchmetrics-grouped", "all-sums")


def batches() -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    target = [torch.rand(BATCH, 1, SIZE_PX, SIZE_PX, generator=generator) for _ in range(N_BATCHES)]
    noise = [0.1 * torch.randn(BATCH, 1, SIZE_PX, SIZE_PX, generator=generator) for _ in range(N_BATCHES)]
    return [((t + n).clamp(0, 1), t) for t, n in zip(target, noise, strict=True)]


def slices_per_s(update: Callable[[Tensor, Tensor], object], finish: Callable[[], object]) -> float:
    data = batches()
    update(*data[0])
    start = time.perf_counter()
    for prediction, target in data:
        update(prediction, target)
    finish()
    return BATCH * N_BATCHES / (time.perf_counter() - start)


def ours() -> float:
    from sct.training.metrics import BoneOverlap

    metric = BoneOverlap()
    return slices_per_s(metric.update, metric.compute)


def all_sums() -> float:
    """Both scopes, errors, moments, tissue classes and bone counts, as the test of `sct.run` makes them."""
    from sct.training.metrics import PixelSums

    metric = PixelSums()
    return slices_per_s(lambda p, t: metric.update(p, t, t > 0.2), metric.compute)


def torchmetrics(grouped: bool) -> float:
    from benchmarks.peers.torchmetrics_bone import BoneMetrics

    metric = BoneMetrics(grouped=grouped)
    return slices_per_s(metric.update, metric.compute)


def check() -> None:
    """Both sides must say the same; torchmetrics thresholds in binary floating point, so a few pixels may differ."""
    from benchmarks.peers.torchmetrics_bone import BoneMetrics
    from sct.training.metrics import BoneOverlap

    mine, peer = BoneOverlap(), BoneMetrics(grouped=True)
    for prediction, target in batches()[:2]:
        mine.update(prediction, target)
        peer.update(prediction, target)
    for name, value in peer.compute().items():
        difference = abs(value - float(mine.compute()[f"bone_{name}"]))
        if difference > 1e-3:
            raise SystemExit(f"the sides disagree on {name} by {difference}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--side", choices=SIDES)
    arguments = parser.parse_args()
    if arguments.side is None:
        print("## Bone metrics over 7 thresholds, 224 px\n")
        check()
        for side, peer in (("ours", "torchmetrics"), ("ours", "torchmetrics-grouped"), ("all-sums", "torchmetrics")):
            compare("benchmarks.metrics", side, peer, "slices/s", arguments.repeats, arguments.threads)
        return
    torch.set_num_threads(arguments.threads)
    sides = {
        "ours": ours,
        "all-sums": all_sums,
        "torchmetrics": lambda: torchmetrics(False),
        "torchmetrics-grouped": lambda: torchmetrics(True),
    }
    main_of_sides(sides, arguments.side)


if __name__ == "__main__":
    main()

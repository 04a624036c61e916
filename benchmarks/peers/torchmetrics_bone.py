"""The peer: precision, recall and F1 of torchmetrics at each threshold."""

import torch
from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import BinaryF1Score, BinaryPrecision, BinaryRecall

THRESHOLDS = (0.40, 0.45, 0.50, 0.55, 0.60, 0.65, 0.70)


class BoneMetrics:
    """One metric per figure and threshold; `grouped` lets torchmetrics share the counts of a threshold's three figures.

    Its inputs are not validated, which spares it a search for unexpected labels.
    """

    def __init__(self, *, grouped: bool, device: str = "cpu") -> None:
        kinds = {"precision": BinaryPrecision, "recall": BinaryRecall, "dice": BinaryF1Score}
        self.collections = [
            MetricCollection(
                {name: kind(threshold=t, validate_args=False) for name, kind in kinds.items()}, compute_groups=grouped
            ).to(device)
            for t in THRESHOLDS
        ]

    def update(self, prediction: Tensor, target: Tensor) -> None:
        for threshold, metrics in zip(THRESHOLDS, self.collections, strict=True):
            metrics.update(prediction, (target >= threshold).int())

    def compute(self) -> dict[str, float]:
        curves = [metrics.compute() for metrics in self.collections]
        return {name: float(torch.stack([curve[name] for curve in curves]).mean()) for name in curves[0]}

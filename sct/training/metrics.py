"""Metrics over the additive sums, for any Lightning or torchmetrics user.

Each holds exact integers as its state, reduced over processes by addition, so its value depends neither on the order of
batches nor on their size. `update` never waits for the device.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from sct.core.errors import SctError
from sct.core.figures import figures
from sct.core.gray import Window
from sct.core.pixel_sums import DEFAULT_THRESHOLDS, MAX_PIXELS, SumsLayout, bone_counts, threshold_names

__all__ = ["BoneOverlap", "HuErrors", "PixelSums"]

_CARRY = 2**31
"""So little is left in the sums that those of a batch below MAX_PIXELS fit on top: 2**31 (1 + 65535**2) < 2**63."""


class PixelSums(Metric):
    """All sums, by rows.

    Args:
        n_rows: Number of rows, e.g. participants x planes; 1 pools everything.
        layout: What is summed.
        kwargs: Of `torchmetrics.Metric`.
    """

    full_state_update = False
    sums: Tensor
    n_not_finite: Tensor

    def __init__(self, n_rows: int = 1, layout: SumsLayout | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layout = layout or SumsLayout()
        zeros = torch.zeros(n_rows, len(self.layout.columns), dtype=torch.int64)
        self.add_state("sums", zeros, dist_reduce_fx="sum")
        self.add_state("n_not_finite", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(
        self, prediction: Tensor, target: Tensor, mask: Tensor | None = None, rows: Tensor | None = None
    ) -> None:
        """Add a batch.

        Args:
            prediction: Gray values 0..1, (B, 1, H, W) or (B, H, W), floating point.
            target: The CT: 8-bit levels (uint8) or gray values 0..1, same shape.
            mask: The body, non-zero inside, same shape; everything by default.
            rows: Row of each slice, int64 (B,); row 0 by default.
        """
        mask = torch.ones_like(target, dtype=torch.bool) if mask is None else mask
        sums = self.layout.slice_sums(prediction, target, mask)
        rows = torch.zeros(len(sums), dtype=torch.int64, device=sums.device) if rows is None else rows
        self.sums.index_add_(0, rows, sums)
        self.n_not_finite += _not_finite(prediction)

    def compute(self) -> Any:
        """Sums, int64 (rows, columns).

        Raises:
            SctError: A prediction was not finite.
            ValueError: A row has 2**31 pixels or more, so that its sums of squares may have overflowed.
        """
        _refuse_not_finite(self.n_not_finite)
        if bool((self.sums[:, self.layout.columns.index("frame_n")] >= MAX_PIXELS).any()):
            raise ValueError(
                "a row holds 2**31 pixels or more and may have overflowed: use more rows, e.g. one a slice"
            )
        return self.sums


class BoneOverlap(Metric):
    """Bone precision, recall and Dice over a grid of thresholds, pooled over all pixels.

    A pixel is bone at threshold t when its value, rounded to 16 bits, is at least ceil(65535 t).

    Args:
        thresholds: Gray values in (0, 1]; 0.40 to 0.70 in steps of 0.05 by default (Bambach & Ho 2022, Methods).
        kwargs: Of `torchmetrics.Metric`.
    """

    full_state_update = False
    is_differentiable = False
    counts: Tensor
    n_not_finite: Tensor

    def __init__(self, thresholds: Sequence[str | float | Decimal] = DEFAULT_THRESHOLDS, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.thresholds = tuple(threshold_names(thresholds).values())
        self.add_state("counts", torch.zeros(3, len(self.thresholds), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("n_not_finite", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch: gray values 0..1 or 8-bit levels (uint8), (B, H, W) or (B, 1, H, W), of one shape."""
        self.counts += bone_counts(prediction, target, self.thresholds).sum(0)
        self.n_not_finite += _not_finite(prediction)

    def compute(self) -> dict[str, Tensor]:
        """`bone_precision`, `bone_recall`, `bone_dice` (averages over the grid) and their `_curve`s; NaN where 0/0.

        Raises:
            SctError: A prediction was not finite.
        """
        _refuse_not_finite(self.n_not_finite)
        both, reference, predicted = self.counts.double()
        curves = {
            "bone_precision": both / predicted,
            "bone_recall": both / reference,
            "bone_dice": 2 * both / (predicted + reference),
        }
        means = {name: curve.mean() for name, curve in curves.items()}
        return means | {f"{name}_curve": curve for name, curve in curves.items()}


class HuErrors(PixelSums):
    """MAE (HU), MSE (HU^2) and Pearson correlation, pooled over all pixels, or over the pixels of a mask.

    As many pixels as one likes: what no longer fits `sums` is carried, as between the digits of a number.

    Args:
        window: The CT window of the gray scale; level 500, width 2000 HU by default.
        kwargs: Of `torchmetrics.Metric`.
    """

    is_differentiable = False
    carried: Tensor

    def __init__(self, window: Window | None = None, **kwargs: Any) -> None:
        super().__init__(1, SumsLayout(window=window or Window()), **kwargs)
        self.add_state("carried", torch.zeros_like(self.sums[0]), dist_reduce_fx="sum")

    def update(  # type: ignore[override]
        self, prediction: Tensor, target: Tensor, mask: Tensor | None = None
    ) -> None:
        """Add a batch: gray values 0..1 or 8-bit levels (target), (B, H, W) or (B, 1, H, W), of one shape.

        Raises:
            ValueError: The shapes differ, or the batch has 2**31 pixels or more.
        """
        if prediction.numel() >= MAX_PIXELS:
            raise ValueError("a batch of 2**31 pixels or more would overflow its sums: give smaller ones")
        super().update(prediction, target, mask)
        self.carried += self.sums[0] // _CARRY
        self.sums %= _CARRY

    def compute(self) -> dict[str, Tensor]:
        """`mae_hu`, `mse_hu2` and `pearson_r`, the same inside the mask as `mask_...`; NaN where undefined.

        Raises:
            SctError: A prediction was not finite.
        """
        _refuse_not_finite(self.n_not_finite)
        digits = zip(self.layout.columns, self.carried.tolist(), self.sums[0].tolist(), strict=True)
        sums = {name: high * _CARRY + low for name, high, low in digits}
        found = figures(sums, window=self.layout.window)
        names = ("mae_hu", "mse_hu2", "pearson_r")
        values = {name: found[name] for name in names} | {f"mask_{name}": found["in_mask"][name] for name in names}
        return {
            name: torch.tensor(float("nan") if value is None else value, dtype=torch.float64)
            for name, value in values.items()
        }


def _not_finite(prediction: Tensor) -> Tensor:
    """How many values are not finite, on their device."""
    return (prediction - prediction).count_nonzero()  # 0 or NaN: a third of the time that isfinite takes


def _refuse_not_finite(count: Tensor) -> None:
    if int(count):
        raise SctError(f"{int(count)} predicted pixels are not finite: the network has diverged")

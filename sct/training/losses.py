"""Losses on gray values 0..1, mean per pixel.

MAE and MSE are torch's own `L1Loss` and `MSELoss`. One's own loss is any `torch.nn.Module` of (prediction, target),
named by its `_target_` in the configuration.
"""

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["MixLoss"]


class MixLoss(nn.Module):
    """L1 + alpha L2, with L1 = mean |CT - sCT| and L2 = mean (CT - sCT)^2.

    Source: Bambach & Ho 2022, Methods, Lw = L1 + 4.4 L2; alpha was chosen so that both contribute about equally, which
    holds on gray values 0..1 only.

    Args:
        alpha: Weight of L2, at least 0.
    """

    def __init__(self, alpha: float = 4.4) -> None:
        super().__init__()
        if not alpha >= 0:
            raise ValueError(f"alpha must be 0 or more, not {alpha}")
        self.alpha = float(alpha)

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Loss of gray images of one shape, a scalar."""
        return F.l1_loss(prediction, target) + self.alpha * F.mse_loss(prediction, target)

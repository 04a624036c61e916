"""Parts that U-Nets share: convolution blocks, upsampling, the output in full precision, and how weights start."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

__all__ = ["ConvBlock", "GrayOutput", "UpBlock", "start_from_glorot"]

_BATCH_NORM_EPS = 1e-3
"""Keras' default, as in the paper. With PyTorch's 1e-5, channels that are nearly constant over the black surround are
blown up until the sigmoid saturates: bright dashes at the frame's edge, which no gradient takes away again."""


class ConvBlock(nn.Sequential):
    """3x3 convolutions with "same" padding, each followed by batch norm and ReLU.

    Args:
        channels: Widths from the input to the last convolution, e.g. `(1, 16, 16)` for two convolutions.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(channels):
            convolution = nn.Conv2d(n_in, n_out, 3, padding=1)
            layers += [convolution, nn.BatchNorm2d(n_out, eps=_BATCH_NORM_EPS), nn.ReLU(inplace=True)]
        super().__init__(*layers)


class UpBlock(nn.Module):
    """Decoder level: 3x3 transposed convolution of stride 2, concatenation with the skip, then convolutions.

    Args:
        n_in: Channels of the level below.
        n_up: Channels after the transposed convolution.
        n_skip: Channels of the skip connection.
        widths: Widths of the convolutions that follow.
    """

    def __init__(self, n_in: int, n_up: int, n_skip: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(n_in, n_up, 3, stride=2, padding=1, output_padding=1)
        self.convolutions = ConvBlock((n_up + n_skip, *widths))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(B, n_in, H, W) and (B, n_skip, 2H, 2W) -> (B, widths[-1], 2H, 2W)."""
        convolved: Tensor = self.convolutions(torch.cat([skip, self.up(x)], dim=1))
        return convolved


class GrayOutput(nn.Module):
    """1x1 convolution to one channel and sigmoid, in float32 whatever the autocast."""

    def __init__(self, n_in: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(n_in, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_in, H, W) -> gray values 0..1, float32 (B, 1, H, W)."""
        with torch.autocast(x.device.type, enabled=False):
            gray: Tensor = torch.sigmoid(self.convolution(x.float()))
        return gray


def start_from_glorot(network: nn.Module) -> None:
    """Draw the weights of all convolutions from Glorot (Xavier) uniform and set their biases to 0, as Keras does."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)

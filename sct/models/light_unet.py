"""Light U-Net: the original U-Net with fewer filters per block.

Source: Bambach & Ho 2022, Methods (about 2 M trainable parameters, 3x3 convolutions with batch norm and ReLU, "same"
padding, 3x3 transposed convolutions so that the decoder mirrors the encoder and the skips need no cropping). The widths
16-32-64-128-256 are our reading; they give 2,161,361 trainable parameters.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from sct.models.blocks import ConvBlock, GrayOutput, UpBlock, start_from_glorot

__all__ = ["LightUNet"]


class LightUNet(nn.Module):
    """U-Net of two convolutions per level, max pooling down, 3x3 transposed convolutions of stride 2 up.

    Convolutions carry a bias, transposed ones halve the width and have no batch norm or ReLU of their own. Weights of
    the convolutions start from Glorot (Xavier) uniform, biases from 0, and batch norm has eps 1e-3, as in Keras, which
    the paper used; its momentum stays PyTorch's 0.1 (Keras: 0.01 in this convention), because epochs of some hundred
    steps must be enough for its running statistics.

    Args:
        widths: Filters per level, from full resolution down.
    """

    def __init__(self, widths: Sequence[int] = (16, 32, 64, 128, 256)) -> None:
        super().__init__()
        widths = tuple(widths)
        if len(widths) < 2 or not all(isinstance(n, int) and n > 0 for n in widths):
            raise ValueError(f"widths must be at least two positive numbers, not {list(widths)}")
        self.down = nn.ModuleList(ConvBlock((n_in, n, n)) for n_in, n in pairwise((1, *widths)))
        self.up = nn.ModuleList(UpBlock(n_in, n, n, (n, n)) for n_in, n in pairwise(reversed(widths)))
        self.output = GrayOutput(widths[0])
        start_from_glorot(self)

    def forward(self, x: Tensor) -> Tensor:
        """Gray MR -> gray sCT.

        Args:
            x: Gray values 0..1, float32 (B, 1, H, W).

        Returns:
            Gray values 0..1, float32 (B, 1, H, W).

        Raises:
            ValueError: H or W cannot be halved as often as the network does.
        """
        multiple = 2 ** len(self.up)
        if x.shape[-2] % multiple or x.shape[-1] % multiple:
            raise ValueError(f"height and width must be multiples of {multiple}, not {tuple(x.shape[-2:])}")
        skips: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if level else x)
            skips.append(x)
        skips.pop()
        for block in self.up:
            x = block(x, skips.pop())
        gray: Tensor = self.output(x)
        return gray

"""VGG-16 U-Net: the 13 convolutions of VGG-16 as encoder, mirrored by a decoder with batch norm.

Source: Bambach & Ho 2022, Methods (about 29 M trainable parameters; encoder VGG-16, random or from ImageNet weights,
nothing frozen). Assumed where the paper is silent: the last block of VGG-16 is the bottleneck at 1/16 of the input (no
fifth pooling); each of the four levels up is a 3x3 transposed convolution that keeps the width, the concatenation with
the skip and the encoder block's convolutions in reverse. This gives 28,657,025 parameters.
"""

import torch
from torch import Tensor, nn

from sct.models.blocks import GrayOutput, UpBlock, start_from_glorot
from sct.models.encoder_weights import IMAGENET_MEAN, IMAGENET_STD, vgg16_features

__all__ = ["VggUNet"]


class VggUNet(nn.Module):
    """U-Net with VGG-16's convolutions (ReLU, no batch norm) as encoder.

    The gray image is repeated on three channels and normalised by ImageNet's mean and standard deviation, with and
    without pretrained weights, so that the two differ in their start only. Without pretrained weights the encoder
    starts from He's normal initialisation (He et al., ICCV 2015), biases 0: with nothing to rescale the activations,
    13 layers from Glorot's would lose the signal. The decoder starts as Light U-Net does, from Glorot uniform.

    Args:
        encoder_weights: None for random ones, `imagenet`, or the path of a file (see `sct.models.encoder_weights`).

    Raises:
        SctError: The weights cannot be had or are of another network.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, encoder_weights: str | None = None) -> None:
        super().__init__()
        from torchvision.models.vgg import cfgs, make_layers

        # Configuration D is VGG-16; its last layer, the fifth pooling, is left out.
        self.encoder = make_layers(cfgs["D"], batch_norm=False)[:-1]
        self.up = nn.ModuleList(
            [
                UpBlock(512, 512, 512, (512, 512, 256)),
                UpBlock(256, 256, 256, (256, 256, 128)),
                UpBlock(128, 128, 128, (128, 64)),
                UpBlock(64, 64, 64, (64, 64)),
            ]
        )
        self.output = GrayOutput(64)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).reshape(1, 3, 1, 1), persistent=False)
        start_from_glorot(self)
        for module in self.encoder:
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if encoder_weights is not None:
            self.encoder.load_state_dict(vgg16_features(str(encoder_weights), self.encoder.state_dict()))

    def forward(self, x: Tensor) -> Tensor:
        """Gray MR -> gray sCT.

        Args:
            x: Gray values 0..1, float32 (B, 1, H, W).

        Returns:
            Gray values 0..1, float32 (B, 1, H, W).

        Raises:
            ValueError: H or W is not a multiple of 16.
        """
        if x.shape[-2] % 16 or x.shape[-1] % 16:
            raise ValueError(f"height and width must be multiples of 16, not {tuple(x.shape[-2:])}")
        x = (x - self.mean) / self.std
        skips: list[Tensor] = []
        for layer in self.encoder:
            if isinstance(layer, nn.MaxPool2d):
                skips.append(x)
            x = layer(x)
        for block in self.up:
            x = block(x, skips.pop())
        gray: Tensor = self.output(x)
        return gray

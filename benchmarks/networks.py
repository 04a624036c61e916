"""The networks that are measured."""

from torch import nn

__all__ = ["NETWORKS", "make"]

NETWORKS = {"light_unet": "Light U-Net", "vgg_unet": "VGG U-Net"}


def make(name: str) -> nn.Module:
    """A network with fixed random weights."""
    import torch

    torch.manual_seed(0)
    if name == "vgg_unet":
        from sct.models.vgg_unet import VggUNet

        return VggUNet()
    from sct.models.light_unet import LightUNet

    return LightUNet()

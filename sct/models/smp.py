"""Any architecture and encoder of segmentation-models-pytorch, one gray channel in and out."""

import difflib
from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sct.core.errors import SctError
from sct.models.encoder_weights import IMAGENET_MEAN, IMAGENET_STD

__all__ = ["SmpModel"]

MULTIPLE = 32
"""Encoders halve the image up to five times."""


class SmpModel(nn.Module):
    """A network of segmentation-models-pytorch with a sigmoid in float32 at its end.

    The gray image is normalised by the mean over the channels of ImageNet's mean and standard deviation, with and
    without pretrained weights; the library makes a pretrained first layer one of a single channel by summing its
    kernels. Images whose sides are no multiples of 32 are padded with 0 (the outside of the mask) at the bottom and on
    the right, and the output is cropped.

    Args:
        arch: Name of the architecture, e.g. `unet`, `unetplusplus`, `fpn`.
        encoder: Name of the encoder, e.g. `resnet34`, or `tu-NAME` for one of timm.
        encoder_weights: None for random ones, or a name the library knows for the encoder, e.g. `imagenet`.

    Raises:
        SctError: Unknown architecture, encoder or weights; a combination that the library refuses; weights that
            cannot be fetched.
    """

    def __init__(self, arch: str, encoder: str, encoder_weights: str | None = None) -> None:
        super().__init__()
        import segmentation_models_pytorch as smp

        known = set(smp.MODEL_ARCHITECTURES_MAPPING)
        if arch.lower() not in known:
            raise SctError(_no_such("model.arch", arch, known))
        _check_encoder(encoder, encoder_weights)
        try:
            self.network = smp.create_model(arch, encoder, encoder_weights, in_channels=1, classes=1)
        except OSError as error:
            raise SctError(
                f"model.encoder_weights={encoder_weights}: the weights of {encoder} cannot be fetched "
                f"({type(error).__name__}); run once with a network, or copy the Hugging Face cache (HF_HOME) of a "
                "machine that has them, or give null"
            ) from error
        except Exception as error:  # the library and timm refuse combinations by various exceptions
            reason = str(error).strip().splitlines()
            raise SctError(
                f"model.arch={arch} model.encoder={encoder} do not go together: {reason[0] if reason else error!r}"
            ) from error
        self.network.segmentation_head = _FullPrecision(self.network.segmentation_head)
        self.mean = sum(IMAGENET_MEAN) / 3
        self.std = sum(IMAGENET_STD) / 3

    def forward(self, x: Tensor) -> Tensor:
        """Gray MR -> gray sCT.

        Args:
            x: Gray values 0..1, float32 (B, 1, H, W).

        Returns:
            Gray values 0..1, float32 (B, 1, H, W).
        """
        height, width = x.shape[-2:]
        padded = F.pad(x, (0, -width % MULTIPLE, 0, -height % MULTIPLE))
        logits: Tensor = self.network((padded - self.mean) / self.std)
        return torch.sigmoid(logits.float())[..., :height, :width]


class _FullPrecision(nn.Module):
    """A module in float32 whatever the autocast: the last convolution."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        """What the module gives, in float32."""
        with torch.autocast(x.device.type, enabled=False):
            result: Tensor = self.module(x.float())
        return result


def _check_encoder(encoder: str, weights: str | None) -> None:
    from segmentation_models_pytorch.encoders import encoders, is_equivalent_to_timm_universal

    known: dict[str, Any] = encoders
    if encoder.startswith("tu-"):
        import timm

        name = encoder.removeprefix("tu-")
        if name.partition(".")[0] not in timm.list_models():
            raise SctError(_no_such("model.encoder", encoder, [f"tu-{model}" for model in timm.list_models()]))
    elif encoder not in known and not is_equivalent_to_timm_universal(encoder):
        raise SctError(_no_such("model.encoder", encoder, known))
    elif encoder in known and weights is not None and weights not in known[encoder]["pretrained_settings"]:
        there_are = ", ".join(["null", *known[encoder]["pretrained_settings"]])
        raise SctError(f"model.encoder_weights={weights}: {encoder} has {there_are}")


def _no_such(key: str, value: str, known: Iterable[str]) -> str:
    options = sorted(known)
    nearest = difflib.get_close_matches(value.lower(), options, n=3, cutoff=0.4)
    if nearest:
        return f"{key}={value}: there is no such name; did you mean {' or '.join(nearest)}?"
    return f"{key}={value}: there is no such name; there are {', '.join(options[:20])}{', ...' if options[20:] else ''}"

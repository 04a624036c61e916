"""VGG-16's convolution weights from a file or from ImageNet, checked before anything is loaded.

Files name the tensors as torchvision does (`features.0.weight`) or as segmentation-models-pytorch does in a whole
model (`encoder.features.0.weight`); a classifier beside them is passed over. A file is never unpickled: it is read as
safetensors or with torch's `weights_only`.
"""

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sct.core.errors import SctError

__all__ = ["IMAGENET_MEAN", "IMAGENET_STD", "vgg16_features"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's red, green and blue on 0..1: what the weights were trained with."""

PREFIX = "features."


def vgg16_features(source: str, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """VGG-16's convolution weights, float32, ready to load.

    Args:
        source: `imagenet` (fetched once by segmentation-models-pytorch, cached by the Hugging Face hub), or the path
            of a file in torchvision's or segmentation-models-pytorch's naming (.pth, .pt, .safetensors).
        expected: State dict of the encoder, keys `0.weight`, `0.bias`, `2.weight`, ...: names and shapes to match.

    Returns:
        A tensor for each key of `expected`.

    Raises:
        SctError: The weights cannot be had, are unreadable, or belong to another network.
    """
    state = _imagenet() if source == "imagenet" else _read(Path(source))
    return _matched(state, expected, source)


def _imagenet() -> dict[str, Tensor]:
    import segmentation_models_pytorch as smp

    try:
        encoder = smp.encoders.get_encoder("vgg16", weights="imagenet")
    except Exception as error:  # the hub raises its own, requests' and OS errors, by version
        raise SctError(
            "model.encoder_weights=imagenet: VGG-16's ImageNet weights cannot be fetched "
            f"({_reason(error)}); without a network bring torchvision's vgg16-397923af.pth "
            "(https://download.pytorch.org/models/vgg16-397923af.pth) or model.safetensors of the Hugging Face "
            "repository smp-hub/vgg16.imagenet, and pass it as model.encoder_weights=FILE"
        ) from error
    state: dict[str, Tensor] = encoder.state_dict()
    return state


def _read(path: Path) -> dict[str, Tensor]:
    """The tensors of a weights file, whatever their names; only plain tensors are accepted."""
    if not path.is_file():
        raise SctError(
            f"model.encoder_weights={path}: no such file; give null, imagenet, or a file of VGG-16 weights (.pth, "
            ".safetensors)"
        )
    with path.open("rb") as file:
        start = file.read(512).lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        raise SctError(f"{path}: a web page, not weights; the download went wrong, fetch the file itself")
    state: Any
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(path, device="cpu")
        else:
            with warnings.catch_warnings(action="ignore"):  # about the protocol of a pickle that is refused anyway
                state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise SctError(
            f"{path}: not a file of plain tensors (another format, or code and whole objects in it), so it is not "
            "loaded; save a network's state_dict() with torch.save"
        ) from error
    except Exception as error:  # a damaged archive raises RuntimeError, EOFError, ValueError, KeyError, ...
        raise SctError(f"{path}: damaged or not a weights file ({_reason(error)})") from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise SctError(f"{path}: holds no state dict (names and tensors), so no VGG-16 weights")
    return state


def _matched(state: dict[str, Tensor], expected: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """The encoder's tensors of a state dict under the encoder's own names, or the error that says what differs."""
    found = {str(name).removeprefix("encoder."): value for name, value in state.items()}
    found = {name.removeprefix(PREFIX): value for name, value in found.items() if name.startswith(PREFIX)}
    unknown = sorted(set(found) - set(expected), key=_position)
    missing = sorted(set(expected) - set(found), key=_position)
    if unknown or missing:
        what = f"has {PREFIX}{unknown[0]}, which VGG-16 has not" if unknown else f"lacks {PREFIX}{missing[0]}"
        raise SctError(
            f"{source}: weights of another network: it {what}; the 13 convolutions of VGG-16 without batch norm are "
            f"needed ({PREFIX}0.weight ... {PREFIX}28.bias)"
        )
    for name, value in found.items():
        if value.shape != expected[name].shape:
            raise SctError(
                f"{source}: {PREFIX}{name} has shape {tuple(value.shape)}; VGG-16 has {tuple(expected[name].shape)}"
            )
        if not value.is_floating_point() or not bool(torch.isfinite(value).all()):
            raise SctError(f"{source}: {PREFIX}{name} holds values that are not finite floating-point numbers")
    return {name: value.to(torch.float32) for name, value in found.items()}


def _position(name: str) -> tuple[int, bool, str]:
    """Sorts in the network's order: `2.weight`, `2.bias`, `10.weight`."""
    number, _, rest = name.partition(".")
    return (int(number) if number.isdigit() else 0, rest != "weight", rest)


def _reason(error: BaseException) -> str:
    """The first sentence of somebody else's error."""
    sentence = " ".join(str(error).split()).partition(". ")[0].rstrip(".")
    return f"{type(error).__name__}: {sentence}" if sentence else type(error).__name__

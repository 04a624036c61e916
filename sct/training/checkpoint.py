"""Checkpoints are loaded without ever running what they hold; without Lightning, so that a prediction starts soon."""

import importlib
import pickle
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sct.core.errors import SctError

__all__ = ["LoadedNetwork", "build_network", "load_network", "read_checkpoint"]

_NETWORK_PREFIX = "network."


@dataclass(frozen=True)
class LoadedNetwork:
    """A network out of a checkpoint, in evaluation mode on the CPU, and what the checkpoint says about it."""

    network: nn.Module
    hyper_parameters: dict[str, Any]


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint of tensors and plain types; nothing in it is executed.

    Raises:
        SctError: The file is missing, truncated, no checkpoint, or holds anything else.
    """
    path = Path(path)
    if not path.is_file():
        raise SctError(f"{path}: no such checkpoint file")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if zipfile.is_zipfile(path):
            reason = "it holds more than tensors and plain types and is not loaded, since that could run code"
        else:
            reason = "it is truncated or not a PyTorch checkpoint"
        raise SctError(f"{path}: {reason}") from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise SctError(f"{path}: it is truncated or not a PyTorch checkpoint") from error
    if not isinstance(checkpoint, dict):
        raise SctError(f"{path}: holds a {type(checkpoint).__name__}, not a checkpoint of this program")
    return checkpoint


def load_network(path: Path, allow: Sequence[str] = ()) -> LoadedNetwork:
    """Build the network that a checkpoint describes and give it the checkpoint's weights.

    Args:
        path: A checkpoint written in training.
        allow: Packages beside `sct` whose networks may be built, e.g. `("my_models",)`.

    Raises:
        SctError: As `read_checkpoint` and `build_network`; or weights of another architecture, or none.
    """
    checkpoint = read_checkpoint(path)
    hyper_parameters, state = checkpoint.get("hyper_parameters"), checkpoint.get("state_dict")
    if not isinstance(hyper_parameters, dict) or not isinstance(hyper_parameters.get("model"), dict):
        raise SctError(f"{path}: has no hyper_parameters with a model; only checkpoints of `sct run` can be used")
    if not isinstance(state, dict):
        raise SctError(f"{path}: has no state_dict; only checkpoints of `sct run` can be used")
    try:
        network = build_network(hyper_parameters["model"], allow)
    except SctError as error:
        raise SctError(f"{path}: {error}") from error
    weights = {k.removeprefix(_NETWORK_PREFIX): v for k, v in state.items() if k.startswith(_NETWORK_PREFIX)}
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        first = next((line.strip() for line in str(error).splitlines()[1:]), str(error))
        target = hyper_parameters["model"].get("_target_")
        raise SctError(f"{path}: its weights are not of the architecture {target}: {first[:200]}") from error
    return LoadedNetwork(network.eval(), hyper_parameters)


def build_network(config: Mapping[str, Any], allow: Sequence[str] = ()) -> nn.Module:
    """Instantiate a network by its `_target_` and arguments, without initial weights from elsewhere.

    Args:
        config: `_target_`, the dotted name of a class, and its arguments in plain types. `encoder_weights` is passed
            over as None: what it would bring is about to be overwritten.
        allow: Packages beside `sct` that the class may come from; importing one runs its code.

    Raises:
        SctError: The class is not there, not in an allowed package, no network, or does not take the arguments.
    """
    target = config.get("_target_")
    packages = ("sct", *allow)
    if not isinstance(target, str) or not _is_in(target, packages):
        package = str(target).partition(".")[0]
        hint = f"; if you trust it with running code here, add --allow {package}" if target else ""
        raise SctError(f"model _target_ {target!r} is not in {' or '.join(packages)}{hint}")
    module_name, _, name = target.rpartition(".")
    try:
        made = getattr(importlib.import_module(module_name), name)
    except Exception as error:  # a module of one's own may raise anything
        raise SctError(f"model _target_ {target!r} is not there: {error}") from error
    is_network = isinstance(made, type) and issubclass(made, nn.Module)
    if not is_network or not _is_in(f"{made.__module__}.{name}", packages):
        raise SctError(f"model _target_ {target!r} is not a network")
    arguments = {key: value for key, value in config.items() if not key.startswith("_")}
    if "encoder_weights" in arguments:
        arguments["encoder_weights"] = None
    try:
        network: nn.Module = made(**arguments)
    except SctError:
        raise
    except Exception as error:
        raise SctError(f"model _target_ {target!r} does not take its arguments: {error}") from error
    return network


def _is_in(dotted_name: str, packages: Sequence[str]) -> bool:
    return any(dotted_name.startswith(f"{package}.") for package in packages)

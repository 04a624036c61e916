"""Objects of a configuration, made by their `_target_` and tried once, before anything is written."""

from typing import TYPE_CHECKING, Any

from sct.core.errors import SctError

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from torch import nn

__all__ = ["made", "try_loss", "try_network", "try_optimizer"]


def made(cfg: "DictConfig", key: str, **arguments: Any) -> Any:
    """The object that a node of the configuration describes by its `_target_`.

    Args:
        cfg: The configuration.
        key: The node's dotted name.
        arguments: More for Hydra's `instantiate`; `_partial_=True` finds the class without calling it.

    Raises:
        SctError: The node names no class, there is no such class, or it does not take these arguments.
    """
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    node = OmegaConf.select(cfg, key)
    if not OmegaConf.is_dict(node) or not isinstance(node.get("_target_"), str):
        shown = "null" if node is None else node
        raise SctError(f"{key}={shown}: must be a mapping with _target_, the dotted name of a class, and its arguments")
    try:
        return instantiate(node, **arguments)
    except InstantiationException as error:
        cause = error.__cause__ or error
        if isinstance(cause, SctError):
            raise cause from error
        values = {name: value for name, value in node.items() if not str(name).startswith("_")}
        given = f" (given {values})" if isinstance(cause, TypeError) else ""
        raise SctError(f"{key}: {_line(cause)}{given}") from error


def try_network(network: "nn.Module", size_px: int) -> None:
    """Give a network one empty slice: some take multiples of 16 only.

    Raises:
        SctError: It is no network, does not take slices of this size, or does not give one gray slice for one.
    """
    import torch

    if not isinstance(network, torch.nn.Module):
        raise SctError(f"model.network: a {type(network).__name__} is no network (torch.nn.Module)")
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise SctError(f"model.network: {type(network).__name__} has no parameters to train")
    network.eval()
    shape = (1, 1, size_px, size_px)
    try:
        with torch.inference_mode():
            found = network(torch.zeros(shape))
    except (RuntimeError, TypeError, ValueError) as error:
        raise SctError(f"model.network: does not take a slice of prepare.size_px={size_px}: {_line(error)}") from error
    if getattr(found, "shape", None) != shape:
        given = tuple(found.shape) if isinstance(found, torch.Tensor) else f"a {type(found).__name__}"
        raise SctError(f"model.network: gives {given} for a slice {shape}; must give the same shape")
    network.train()


def try_loss(loss: Any, size_px: int) -> None:
    """Let a loss compare two slices.

    Raises:
        SctError: It does not take (prediction, target), or gives no single number.
    """
    import torch

    images = torch.full((2, 1, size_px, size_px), 0.5)
    try:
        with torch.inference_mode():
            value = loss(images, images)
    except (RuntimeError, TypeError, ValueError) as error:
        raise SctError(f"loss.function: does not take (prediction, target): {_line(error)}") from error
    if not isinstance(value, torch.Tensor) or value.numel() != 1:
        raise SctError("loss.function: must give one number for a batch, the mean over its pixels")


def try_optimizer(optimizer: Any) -> None:
    """Let an optimiser take one number: it looks at its arguments only then.

    Raises:
        SctError: It does not take its arguments.
    """
    import torch

    try:
        optimizer([torch.nn.Parameter(torch.zeros(1))])
    except (TypeError, ValueError) as error:
        raise SctError(f"optim: {_line(error)}") from error


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())

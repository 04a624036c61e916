"""Objects of a configuration, made by their `_target_` and tried once, before anything is written."""

from typing import TYPE_CHECKING, Any

from sct.core.errors import SctError

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from torch import nn

__all__ = ["made", "try_network", "try_optimizer"]


def made(cfg: "DictConfig", key: str) -> Any:
    """The object that a node of the configuration describes by its `_target_`.

    Raises:
        SctError: There is no such class, or it does not take these arguments.
    """
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    try:
        return instantiate(OmegaConf.select(cfg, key))
    except InstantiationException as error:
        cause = error.__cause__ or error
        if isinstance(cause, SctError):
            raise cause from error
        raise SctError(f"{key}: {' '.join(str(cause).split())}") from error


def try_network(network: "nn.Module", size_px: int) -> None:
    """Give a network one empty slice: some take multiples of 16 only.

    Raises:
        SctError: It does not take slices of this size.
    """
    import torch

    network.eval()
    try:
        with torch.inference_mode():
            network(torch.zeros(1, 1, size_px, size_px))
    except ValueError as error:
        raise SctError(f"prepare.size_px={size_px}: the network does not take it: {error}") from error
    network.train()


def try_optimizer(optimizer: Any) -> None:
    """Let an optimiser take one number: it looks at its arguments only then.

    Raises:
        SctError: It does not take its arguments.
    """
    import torch

    try:
        optimizer([torch.nn.Parameter(torch.zeros(1))])
    except (TypeError, ValueError) as error:
        raise SctError(f"optim: {' '.join(str(error).split())}") from error

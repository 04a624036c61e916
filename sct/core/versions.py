"""With what a result was made."""

import platform
from importlib.metadata import PackageNotFoundError, version

import torch

import sct

__all__ = ["versions"]

_PACKAGES = ("torch", "pytorch-lightning", "torchmetrics", "hydra-core", "numpy", "scipy", "nibabel", "monai")


def versions() -> dict[str, str]:
    """Versions of this software, of Python and of the packages that results depend on, and the kind of machine.

    Nothing that names a person, a host or a folder.
    """
    found = {"sct": sct.__version__, "python": platform.python_version(), "system": platform.system()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    found["device"] = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine()
    return found

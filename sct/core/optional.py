"""Packages that a training can do without: only its pictures need them."""

import importlib
import sys
from functools import cache

__all__ = ["can_import"]

_INSTALL = {"PIL": "pillow"}


@cache
def can_import(package: str, left_out: str) -> bool:
    """Whether a package is there; where it is not, one line on stderr (once a process) tells what is left out.

    Args:
        package: Its name in an import.
        left_out: What cannot be made without it.
    """
    try:
        importlib.import_module(package)
    except ImportError as error:
        print(f"without {left_out}: {error}; pip install {_INSTALL.get(package, package)}", file=sys.stderr)
        return False
    return True

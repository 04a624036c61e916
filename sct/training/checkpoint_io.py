"""Checkpoints are written atomically, and no more often than is worth the wait."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from sct.core.files import atomic_path
from sct.training.checkpoint import read_checkpoint

__all__ = ["AtomicCheckpointIO", "HeldCheckpointIO"]


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoint files, but either the old or the new one after a kill, and loaded as plain data only.

    Lightning's own writer goes through a temporary folder that may lie on another disk, from where files are copied.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write beside the target, then rename.

        Raises:
            SctError: The file cannot be written.
        """
        with atomic_path(Path(path)) as temporary, temporary.open("wb") as file:
            try:
                torch.save(checkpoint, file)
            except RuntimeError as error:  # in which torch wraps the file's own error, say of a full disk
                if isinstance(error.__context__, OSError):
                    raise OSError(*error.__context__.args) from error
                raise

    def load_checkpoint(self, path: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Read plain data, on the CPU; see `read_checkpoint`."""
        return read_checkpoint(Path(path))


class HeldCheckpointIO(AtomicCheckpointIO):
    """Holds a copy of the newest checkpoint of each path, where its tensors are, until it is told to write them.

    Writing takes longer than an epoch of a small cohort on a fast GPU; a copy within its memory takes next to nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self._held: dict[Path, dict[str, Any]] = {}

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Hold a copy instead of what was held for this path."""
        self._held.pop(Path(path), None)  # so that the order is that of the newest
        self._held[Path(path)] = deepcopy(checkpoint)

    def write(self) -> None:
        """Write what is held, in the order in which it came.

        Raises:
            SctError: A file cannot be written; those after it are let go, since they may count on it.
        """
        held, self._held = self._held, {}
        for path, checkpoint in held.items():
            super().save_checkpoint(checkpoint, path)

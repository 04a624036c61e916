"""Checkpoints are written atomically, and no more often than is worth the wait."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from sct.core.errors import SctError
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
    """Holds copies of the newest checkpoints, where their tensors are, until it is told to write them.

    A copy within a GPU's memory takes next to nothing, a file a tenth or more of a small cohort's epoch there.
    """

    def __init__(self) -> None:
        super().__init__()
        self._saved: dict[Path, dict[str, Any]] = {}
        self._held: dict[Path, dict[str, Any]] = {}

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Copy a checkpoint; it is not held before `hold`."""
        self._saved[Path(path)] = deepcopy(checkpoint)

    def hold(self) -> None:
        """What was saved since the last time is held, all at once, instead of what was held for the same paths.

        So an interrupt leaves checkpoints that belong together.
        """
        others = {path: checkpoint for path, checkpoint in self._held.items() if path not in self._saved}
        self._held = others | self._saved
        self._saved = {}

    def write(self) -> None:
        """Write what is held, oldest first; after an interrupt, what was not written is still held.

        Raises:
            SctError: A file cannot be written; those after it are let go, since they may count on it.
        """
        try:
            for path in list(self._held):
                super().save_checkpoint(self._held[path], path)
                del self._held[path]
        except SctError:
            self._held = {}
            raise

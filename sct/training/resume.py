"""The checkpoint that an interrupted training goes on from."""

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sct.core.errors import SctError
from sct.training.checkpoint import read_checkpoint

__all__ = ["checkpoint_to_resume"]

_PARTS = ("state_dict", "optimizer_states", "callbacks", "loops", "epoch", "global_step")


def checkpoint_to_resume(folder: Path, task: nn.Module) -> Path | None:
    """`last.ckpt` of a run folder, looked through before Lightning takes it up; None when there is none.

    Raises:
        SctError: It cannot be read, is not the state of a training, or of another architecture.
    """
    path = folder / "last.ckpt"
    if not path.exists():
        return None
    try:
        found = read_checkpoint(path)
    except SctError as error:
        raise SctError(f"{error}; remove it to begin anew") from error
    absent = [part for part in _PARTS if part not in found]
    if absent:
        raise SctError(f"{path}: is no state of a training, it has no {absent[0]}; remove it to begin anew")
    weights, wanted = (_shapes(state) for state in (found["state_dict"], task.state_dict()))
    for name in sorted(weights.keys() | wanted.keys()):
        there, here = weights.get(name, "none"), wanted.get(name, "none")
        if there != here:
            raise SctError(
                f"{path}: of another architecture ({name}: shape {there}, expected {here}); remove it to begin anew"
            )
    return path


def _shapes(state: Any) -> dict[str, Any]:
    """Shapes of tensors by name; of what else a module of one's own keeps, only that it is there."""
    if not isinstance(state, dict):
        return {}
    return {
        str(name): tuple(value.shape) if isinstance(value, Tensor) else "no tensor" for name, value in state.items()
    }

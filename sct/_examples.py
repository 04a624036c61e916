"""Test slices that a cell keeps with their prediction, and their picture."""

from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sct.core.gray import Window
from sct.core.optional import can_import
from sct.slices.planes import PLANES
from sct.study.cells import Cell
from sct.study.examples import Examples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sct.training.datamodule import SliceDataModule
    from sct.training.fitting import TrainerSettings
    from sct.training.task import SynthesisTask

__all__ = ["draw_examples", "middle_slices", "predict_examples"]


def predict_examples(
    task: "SynthesisTask", datamodule: "SliceDataModule", window: Window, n: int, settings: "TrainerSettings"
) -> Examples | None:
    """Predictions of a few test slices for pictures: the middle slices of each plane, participants in turn.

    Returns:
        None for n = 0.
    """
    import torch

    from sct.training.fitting import predict_slices
    from sct.training.slices import MappedSlices

    slices = datamodule.test_slices
    chosen = middle_slices(slices.participant, slices.plane, n)
    if not chosen:
        return None
    levels = MappedSlices(slices).gather(torch.tensor(chosen))
    gray = predict_slices(task, levels[:, :1].float() / 255, settings)
    ids = [slices.participant_ids[slices.participant[k]] for k in chosen]
    indices = [int(slices.store.record(pid).indices[slices.entry[k]]) for pid, k in zip(ids, chosen, strict=True)]
    return Examples(
        mr=levels[:, 0].numpy(),
        ct=levels[:, 1].numpy(),
        sct=(gray[:, 0] * 255).round().clamp(0, 255).to(torch.uint8).numpy(),
        participant_ids=tuple(ids),
        planes=tuple(PLANES[slices.plane[k]] for k in chosen),
        slice_indices=tuple(indices),
        window_hu=(window.level_hu, window.width_hu),
    )


def middle_slices(participant: "NDArray[np.int64]", plane: "NDArray[np.int64]", n: int) -> list[int]:
    """Numbers of up to `n` slices: the middle one of each plane, participants in turn; then from there outwards.

    The further ones of a stack (the slices of a participant in a plane) are spread evenly over it.

    Args:
        participant: Number of the participant of each slice, (N,).
        plane: Number of its plane, (N,), ascending slices within participant and plane.
        n: How many.
    """
    stacks = [
        np.flatnonzero((participant == p) & (plane == q)) for p in np.unique(participant) for q in np.unique(plane)
    ]
    per_stack = -(-n // max(1, len(stacks)))
    turns = zip_longest(*(_outwards(stack, per_stack) for stack in stacks))
    return [int(number) for turn in turns for number in turn if number is not None][:n]


def _outwards(stack: "NDArray[np.int64]", per_stack: int) -> "list[np.int64]":
    """All of a stack: its middle and `per_stack - 1` more, evenly spaced and the nearest first; then the others."""
    middle, step = len(stack) // 2, max(1, len(stack) // (per_stack + 1))
    places = sorted(range(len(stack)), key=lambda k: ((k - middle) % step != 0, abs(k - middle), k))
    return [stack[k] for k in places]


def draw_examples(path: Path, examples: Examples, cell: Cell) -> None:
    """MR, CT, sCT and the red-blue difference in HU of a cell's examples, as a PNG; none without matplotlib."""
    if not can_import("matplotlib", left_out="the pictures of examples"):
        return
    from sct.study.cell_picture import cell_picture
    from sct.study.charts import save_png
    from sct.study.paper import title_of_loss, title_of_model

    title = title_of_model(cell.model) + ("" if cell.loss == "none" else f", {title_of_loss(cell.loss)} loss")
    save_png(cell_picture(examples, f"{title}, seed {cell.seed}, fold {cell.fold}"), path)

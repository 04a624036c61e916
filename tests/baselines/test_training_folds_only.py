"""A baseline's cell: what is fitted comes from the training folds, and nothing of it from who is tested."""

import json
import shutil
from typing import Any

import numpy as np
import torch
from doors import TINY, Doors

from sct.training.checkpoint import read_checkpoint

MODELS = ("log_inversion", "threshold", "linear_map", "histogram")
WORDS = ["-m", *TINY, "data.batch_size=16", "examples=0", f"model={','.join(MODELS)}", "fold=0"]


def fitted(tiny: Doors) -> tuple[dict[str, dict[str, torch.Tensor]], dict[str, bytes], dict[str, Any]]:
    """Buffers and sums of each model's cell, and their split; the cells are then put away."""
    answer = tiny("run", *WORDS)
    assert answer.code == 0, answer.err
    cells = {model: tiny.cell("none", model=model) for model in MODELS}
    buffers = {model: read_checkpoint(cell / "best.ckpt")["state_dict"] for model, cell in cells.items()}
    sums = {model: (cell / "sums.csv").read_bytes() for model, cell in cells.items()}
    split = json.loads((cells[MODELS[0]] / "split.json").read_text())
    shutil.rmtree(tiny.folder / "runs")
    return buffers, sums, split


def invert(tiny: Doors, name: str) -> None:
    """Turn a prepared participant's CT upside down in gray, in the store itself."""
    (path,) = (tiny.folder / "data/phantom/store-resize-32px-8mm").glob(f"{name}-*.npy")
    slices = np.load(path)
    slices[1] = 255 - slices[1]
    np.save(path, slices)


def test_other_test_participants_leave_the_fit_as_it_is(tiny: Doors) -> None:
    before, sums, split = fitted(tiny)
    (tested,) = split["test"]
    invert(tiny, tested)
    after, other_sums, _ = fitted(tiny)
    invert(tiny, min(split["train"]))
    changed, _, _ = fitted(tiny)
    for model in MODELS:
        assert all(torch.equal(before[model][key], after[model][key]) for key in before[model])
        assert sums[model] != other_sums[model]
        assert not all(torch.equal(before[model][key], changed[model][key]) for key in before[model])

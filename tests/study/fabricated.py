"""Run folders made from real sums of made-up predictions, whose figures can be computed again from the images."""

import json
from pathlib import Path

import numpy as np
import torch
import yaml

from sct.core.figures import figures
from sct.core.pixel_sums import SumsLayout
from sct.core.sums import SumsTable
from sct.slices.planes import PLANES
from sct.study.cells import Cell
from sct.study.examples import Examples, write_examples

LAYOUT = SumsLayout()
COLUMNS = LAYOUT.columns

EFFECTS = {
    # standard deviation of the noise and shift of the prediction, in gray 0..1
    "light_unet": (0.030, 0.00),
    "vgg_unet": (0.045, 0.01),
    "vgg_unet_tl": (0.040, 0.01),
    "log_inversion": (0.120, 0.05),
    "threshold": (0.150, -0.05),
}
LOSS_SHIFT = {"mae": -0.010, "mse": 0.012, "mix-4.4": 0.002, "none": 0.0}


def head(participant: int, plane: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """A disc with a ring of bone and a pore of air, as CT levels (uint8), and its mask."""
    rng = np.random.default_rng([participant, plane])
    y, x = np.mgrid[:size, :size] / (size - 1) * 2 - 1
    radius = np.hypot(x, y * rng.uniform(0.85, 1.15))
    gray = np.where(radius < 0.9, 0.27, 0.0) + rng.normal(0, 0.01, (size, size))
    gray = np.where((radius > 0.6) & (radius < 0.85), rng.uniform(0.5, 0.8) + 0.1 * x, gray)
    gray = np.where(np.hypot(x, y) < 0.15, 0.0, gray)
    return np.rint(np.clip(gray, 0, 1) * 255).astype(np.uint8), radius < 0.9


def prediction(cell: Cell, participant: int, plane: int, ct: np.ndarray) -> np.ndarray:
    """A network's output, gray 0..1, that depends on everything that names the cell but the fold."""
    noise, shift = EFFECTS.get(cell.model, (0.05, 0.0))
    condition = {"augmented": 0.8, "separate": 1.6}.get(cell.experiment.rpartition("-")[2], 1.0)
    shift += LOSS_SHIFT.get(cell.loss, 0.001)
    names = [sum(name.encode()) for name in (cell.model, cell.loss, cell.experiment)]
    rng = np.random.default_rng([participant, plane, cell.seed, *names])
    bone = ct > 100
    return np.clip(ct / 255 + rng.normal(0, noise * condition, ct.shape) + shift * bone, 0, 1)


def config_of(cell: Cell, **changes: object) -> dict:
    """A resolved configuration; `changes` are dotted keys with __ for the dot."""
    config = {
        "runs": "runs",
        "seed": cell.seed,
        "fold": cell.fold,
        "cohort": {"name": cell.cohort, "root": f"data/{cell.cohort}", "phantom": {"participants": 8, "seed": 0}},
        "prepare": {"size_px": 16, "window": {"level_hu": 500.0, "width_hu": 2000.0}},
        "model": {"name": cell.model, "network": {"_target_": f"sct.models.{cell.model}"}},
        "loss": {"name": "mae" if cell.loss == "none" else cell.loss},
        "optim": {"lr": 0.001},
        "augment": {"flip": 0.5},
        "trainer": {"max_epochs": 100},
        "data": {"n_folds": 4, "fold_seed": 0},
        "metrics": {"thresholds": [0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7], "rows": "plane"},
        "experiment": {"name": cell.experiment, "column": None, "value": None, "condition": None},
    }
    for dotted, value in changes.items():
        *path, last = dotted.split("__")
        node = config
        for name in path:
            node = node[name]
        node[last] = value
    return config


def make_cell(
    runs: Path,
    cell: Cell,
    n_participants: int = 8,
    n_folds: int = 4,
    size: int = 16,
    examples: int = 2,
    **changes: object,
) -> None:
    """Write the run folder of one cell; fold k tests every n_folds-th participant (all, for `separate`)."""
    everyone = list(range(n_participants))
    tested = everyone if cell.experiment.endswith("separate") else everyone[cell.fold :: n_folds]
    keys, rows, pictures = [], [], []
    for participant in tested:
        for plane, name in enumerate(PLANES):
            ct, mask = head(participant, plane, size)
            gray = prediction(cell, participant, plane, ct)
            images = [torch.from_numpy(image)[None] for image in (gray, ct, mask)]
            keys.append((f"p{participant:02d}", name))
            rows.append(LAYOUT.slice_sums(*images)[0].tolist())
            pictures.append((f"p{participant:02d}", name, plane, ct, np.rint(gray * 255).astype(np.uint8)))
    table = SumsTable.from_matrix(keys, COLUMNS, rows)
    folder = cell.folder(runs)
    folder.mkdir(parents=True, exist_ok=True)
    table.write_csv(folder / "sums.csv")
    config = config_of(cell, **{"data__n_folds": n_folds, **changes})
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    ids = [f"p{participant:02d}" for participant in tested]
    (folder / "split.json").write_text(json.dumps({"train": {}, "val": {}, "test": dict.fromkeys(ids, 3)}))
    (folder / "versions.json").write_text(json.dumps({"sct": "0.1.0", "torch": "2.13.0"}))
    chosen = pictures[:examples]
    if chosen:
        names, planes, indices, ct, sct = zip(*chosen, strict=True)
        mr = [255 - image // 2 for image in ct]
        write_examples(
            folder / "examples.npz",
            Examples(np.stack(mr), np.stack(ct), np.stack(sct), names, planes, indices, (500.0, 2000.0)),
        )
    (folder / "metrics.json").write_text(json.dumps(figures(table.pooled())))


def grid(
    models: tuple[str, ...] = ("light_unet", "vgg_unet", "vgg_unet_tl"),
    losses: tuple[str, ...] = ("mae", "mse", "mix-4.4"),
    seeds: int = 6,
    n_folds: int = 4,
    experiment: str = "table",
    baselines: tuple[str, ...] = ("log_inversion",),
) -> list[Cell]:
    """Cells of a sweep, baselines once."""
    trained = [(model, loss, seed) for model in models for loss in losses for seed in range(seeds)]
    fitted = [(model, "none", 0) for model in baselines]
    return [Cell("phantom", experiment, *names, fold) for names in trained + fitted for fold in range(n_folds)]


def make_runs(runs: Path, cells: list[Cell], **options: object) -> list[Cell]:
    """Write all cells; gives them back."""
    for cell in cells:
        make_cell(runs, cell, **options)
    return cells

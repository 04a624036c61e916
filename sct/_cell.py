"""One cell from its configuration to a self-sufficient run folder."""

import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sct._loggers import make_loggers
from sct._made import made, try_network, try_optimizer
from sct._sweep import is_baseline
from sct.core.errors import SctError
from sct.core.files import read_json, write_json, write_text
from sct.core.gray import Window
from sct.core.versions import versions
from sct.preparation.store import SliceStore
from sct.slices.planes import PLANES
from sct.study.cells import Cell
from sct.study.claims import claim
from sct.study.configuration import first_difference, scientific
from sct.study.examples import Examples

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from omegaconf import DictConfig

    from sct.training.datamodule import SliceDataModule
    from sct.training.fitting import TrainerSettings
    from sct.training.folds import Split
    from sct.training.task import SynthesisTask

__all__ = ["CellRunner", "middle_slices"]


class CellRunner:
    """Runs cells on one store.

    Args:
        store: The prepared cohort.
    """

    def __init__(self, store: SliceStore) -> None:
        self._store = store

    def run(self, cfg: "DictConfig", cell: Cell) -> bool:
        """Train and test a cell unless it is done or somebody else is at it.

        An error within the training is kept in `error.txt`, so that it does not stop other cells.

        Returns:
            Whether the cell did not fail.

        Raises:
            SctError: The folder holds a run of another configuration or of other slices; a mistake in this one.
        """
        from omegaconf import OmegaConf

        folder = cell.folder(Path(cfg.runs))
        config = OmegaConf.to_container(cfg, resolve=True)
        assert isinstance(config, dict)
        config = {str(key): value for key, value in config.items()} | {"seed": cell.seed, "fold": cell.fold}
        if is_baseline(cfg):  # made once, whatever the sweep says of what it does not use
            config |= {"loss": {"name": "none"}, "optim": None, "augment": None}
        split = self.split(cfg, cell)
        with claim(folder) as ours:
            if not ours:
                print(f"{cell.label}: another process is at it", file=sys.stderr)
                return True
            self._compare(folder, config, split)
            if (folder / "metrics.json").exists():
                print(f"{cell.label}: done before", file=sys.stderr)
                return True
            (folder / "error.txt").unlink(missing_ok=True)
            try:
                self._work(cfg, config, cell, folder, split)
            except SctError:
                raise
            except Exception:
                write_text(folder / "error.txt", traceback.format_exc())
                traceback.print_exc()
                return False
        return True

    def split(self, cfg: "DictConfig", cell: Cell) -> "Split":
        """Who of the store trains, validates and is tested in a cell.

        Raises:
            SctError: A mistake in `data` or `experiment`; a subset with too few participants.
        """
        from sct.training.folds import FoldPlan

        plan = FoldPlan(
            n_folds=cfg.data.n_folds,
            fold_seed=cfg.data.fold_seed,
            val_fraction=cfg.data.val_fraction,
            val_unit=cfg.data.val_unit,
            condition=cfg.experiment.condition or "all",
            column=cfg.experiment.column,
            value=None if cfg.experiment.value is None else str(cfg.experiment.value),
        )
        records = {name: self._store.record(name) for name in self._store.participant_ids}
        n_slices = {name: record.n_slices for name, record in records.items()}
        return plan.split(n_slices, {name: record.columns for name, record in records.items()}, cell.fold, cell.seed)

    def _fingerprint(self, split: "Split") -> str:
        return self._store.fingerprint({*split.train, *split.val, *split.test})

    def _compare(self, folder: Path, config: dict[str, Any], split: "Split") -> None:
        """Refuse a folder that holds a run of something else."""
        if (folder / "config.yaml").exists():
            from sct.study.settings import read_config

            difference = first_difference(scientific(read_config(folder / "config.yaml")), scientific(config))
            if difference is None and (folder / "split.json").exists():
                before = read_json(folder / "split.json").get("store_fingerprint")
                if before != self._fingerprint(split):
                    difference = f"the slices: store {before} before, {self._fingerprint(split)} now"
            if difference:
                raise SctError(
                    f"{folder}: holds a run of another configuration ({difference}); "
                    "give this one a name with experiment.name=..., or remove the folder"
                )

    def _work(self, cfg: "DictConfig", config: dict[str, Any], cell: Cell, folder: Path, split: "Split") -> None:
        from omegaconf import OmegaConf

        from sct.baselines.baseline import Baseline
        from sct.core.figures import figures
        from sct.study.examples import write_examples
        from sct.training.fitting import FitRecord, TrainerSettings, fit, test

        try:
            settings = TrainerSettings(**config["trainer"])
        except TypeError as error:
            raise SctError(f"trainer: {error}") from error
        task, datamodule = self._build(cfg, config, cell, split)  # before anything is written: it finds mistakes
        counts = f"{len(split.train)} participants to learn from, {len(split.test)} to test"
        print(f"{cell.label}: {counts}", file=sys.stderr)
        write_text(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(config)))
        write_json(folder / "split.json", split.to_json() | {"store_fingerprint": self._fingerprint(split)})
        write_json(folder / "versions.json", versions())
        if isinstance(task.network, Baseline):
            task.network.fit(datamodule.plain_batches("train"))
            record = FitRecord(epochs=0, best_epoch=None, stopped_early=False, train_slices_per_s=None)
        else:
            record = fit(task, datamodule, folder, settings, make_loggers(cfg, cell, folder))
        sums = test(task, datamodule, folder, settings)
        sums.write_csv(folder / "sums.csv")
        examples = predict_examples(task, datamodule, self.window, cfg.examples, settings)
        if examples is not None:
            write_examples(folder / "examples.npz", examples)
            draw_examples(folder / "figure.png", examples, cell)
        found = figures(sums.pooled(), cfg.metrics.thresholds, self.window)
        write_json(folder / "metrics.json", found | {"n_participants": len(split.test)} | asdict(record))
        (folder / "last.ckpt").unlink(missing_ok=True)

    def _build(
        self, cfg: "DictConfig", config: dict[str, Any], cell: Cell, split: "Split"
    ) -> "tuple[SynthesisTask, SliceDataModule]":
        """The task and its data; the seed is set before the network draws its weights."""
        from pytorch_lightning import seed_everything

        from sct.core.pixel_sums import SumsLayout
        from sct.preparation.domain import domain_of
        from sct.training.datamodule import SliceDataModule
        from sct.training.task import SynthesisTask

        seed_everything(cell.seed, verbose=False)
        try:
            layout = SumsLayout(tuple(str(t) for t in cfg.metrics.thresholds), self.window)
        except (TypeError, ValueError) as error:
            raise SctError(f"metrics.thresholds={cfg.metrics.thresholds}: {error}") from error
        if cfg.metrics.rows not in ("plane", "slice"):
            raise SctError(f"metrics.rows={cfg.metrics.rows}: must be plane or slice")
        if not isinstance(cfg.examples, int) or cfg.examples < 0:
            raise SctError(f"examples={cfg.examples}: must be a whole number, 0 for none")
        optimizer = made(cfg, "optim")
        try_optimizer(optimizer)
        task = SynthesisTask(
            network=made(cfg, "model.network"),
            loss=made(cfg, "loss.function"),
            optimizer=optimizer,
            seed=cell.seed,
            hyper_parameters={
                "model": config["model"]["network"],
                "loss": config["loss"],
                "prepare": self._store.settings,
                "domain": domain_of(self._store, sorted({*split.train, *split.val})),
                "cell": asdict(cell),
                "sct_version": versions()["sct"],
            },
            layout=layout,
            sums_by_slice=cfg.metrics.rows == "slice",
        )
        if not is_baseline(cfg):  # which has nothing to predict by before it is fitted
            try_network(task.network, int(self._store.settings["size_px"]))
        datamodule = SliceDataModule(
            self._store,
            split,
            seed=cell.seed,
            batch_size=cfg.data.batch_size,
            augment=made(cfg, "augment"),
            resident=cfg.data.resident,
        )
        return task, datamodule

    @property
    def window(self) -> Window:
        """The CT window of the store's gray scale."""
        return Window(**self._store.settings["window"])


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
    """Numbers of up to `n` slices: planes in turn, then participants, from the middle of each stack outwards.

    Args:
        participant: Number of the participant of each slice, (N,).
        plane: Number of its plane, (N,), ascending slices within participant and plane.
        n: How many.
    """
    stacks = {
        (p, q): np.flatnonzero((participant == p) & (plane == q))
        for p in np.unique(participant)
        for q in np.unique(plane)
    }
    order = sorted(stacks)
    chosen: list[int] = []
    for turn in range(n):
        people = sorted({p for p, _ in order})
        planes = sorted({q for _, q in order})
        stack = stacks[people[(turn // len(planes)) % len(people)], planes[turn % len(planes)]]
        if len(stack):
            chosen.append(int(stack[len(stack) // 2]))
    return list(dict.fromkeys(chosen))


def draw_examples(path: Path, examples: Examples, cell: Cell) -> None:
    """MR, CT, sCT and the red-blue difference in HU of a cell's examples, as a PNG."""
    from sct.study.cell_picture import cell_picture
    from sct.study.charts import save_png
    from sct.study.paper import title_of_loss, title_of_model

    title = title_of_model(cell.model) + ("" if cell.loss == "none" else f", {title_of_loss(cell.loss)} loss")
    save_png(cell_picture(examples, f"{title}, seed {cell.seed}, fold {cell.fold}"), path)

"""What is done within a claimed run folder: build, train, test, and keep what came of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sct._examples import draw_examples, predict_examples
from sct._loggers import log_results, open_loggers
from sct._made import made
from sct._settings import sums_layout, trainer_settings
from sct._volumes import evaluate_volumes
from sct.core.files import write_json
from sct.core.gray import Window
from sct.core.versions import versions
from sct.preparation.store import SliceStore
from sct.study.cells import Cell

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from pytorch_lightning.loggers import Logger

    from sct.core.sums import SumsTable
    from sct.training.datamodule import SliceDataModule
    from sct.training.fitting import TrainerSettings
    from sct.training.folds import Split
    from sct.training.task import SynthesisTask

__all__ = ["CellWork", "add_volumes", "make_cell"]


@dataclass(frozen=True)
class CellWork:
    """All that a process needs to know of a cell.

    Attributes:
        store: The slices.
        cfg: The configuration, resolved.
        config: What of it is kept as the cell's, plain types.
        cell: Which one.
        folder: Its run folder.
        split: Who trains, validates and is tested.
    """

    store: SliceStore
    cfg: "DictConfig"
    config: Mapping[str, Any]
    cell: Cell
    folder: Path
    split: "Split"

    @property
    def window(self) -> Window:
        """The CT window of the store's gray scale."""
        return Window(**self.store.settings["window"])

    def build(self) -> "tuple[SynthesisTask, SliceDataModule]":
        """The task and its data; the seed is set before the network draws its weights.

        Raises:
            SctError: A value is wrong.
        """
        from pytorch_lightning import seed_everything

        from sct.preparation.domain import domain_of
        from sct.training.datamodule import SliceDataModule
        from sct.training.task import SynthesisTask

        seed_everything(self.cell.seed, verbose=False)
        task = SynthesisTask(
            network=made(self.cfg, "model.network"),
            loss=made(self.cfg, "loss.function"),
            optimizer=made(self.cfg, "optim"),
            seed=self.cell.seed,
            hyper_parameters={
                "model": self.config["model"]["network"],
                "loss": self.config["loss"],
                "prepare": self.store.settings,
                "domain": domain_of(self.store, sorted({*self.split.train, *self.split.val})),
                "cell": asdict(self.cell),
                "sct_version": versions()["sct"],
            },
            layout=sums_layout(self.cfg, self.window),
            sums_by_slice=self.cfg.metrics.rows == "slice",
        )
        datamodule = SliceDataModule(
            self.store,
            self.split,
            seed=self.cell.seed,
            batch_size=self.cfg.data.batch_size,
            augment=made(self.cfg, "augment"),
            resident=self.cfg.data.resident,
        )
        return task, datamodule


def make_cell(work: CellWork, *, rank: int = 0, built: "tuple[SynthesisTask, SliceDataModule] | None" = None) -> None:
    """Train and test a cell, or in one of several processes this one's share of it; the first process writes the files.

    Args:
        work: The cell.
        rank: Number of this process.
        built: Task and data, when they are made already.

    Raises:
        SctError: Training diverged, W&B cannot be reached, a file cannot be written.
    """
    from sct.baselines.baseline import Baseline
    from sct.training.fitting import FitRecord, fit, test
    from sct.training.processes import leave_group

    settings = trainer_settings(work.cfg)
    with open_loggers(work.config, work.cell, work.folder, rank) as loggers:
        task, datamodule = built or work.build()
        if isinstance(task.network, Baseline):
            task.network.fit(datamodule.plain_batches("train"))
            record = FitRecord(0, None, False, None, settings.precision, False)
        else:
            record = fit(task, datamodule, work.folder, settings, loggers)
        sums = test(task, datamodule, work.folder, settings)
        leave_group()
        if rank == 0:
            _keep(work, task, datamodule, settings, asdict(record), sums, loggers)


def add_volumes(work: CellWork) -> None:
    """Evaluate whole volumes of a cell that was finished without them.

    Raises:
        SctError: A volume or `best.ckpt` cannot be used.
    """
    from sct.training.checkpoint import read_checkpoint

    task, _ = work.build()
    task.load_state_dict(read_checkpoint(work.folder / "best.ckpt")["state_dict"])
    evaluate_volumes(task.network, work.config, work.store.settings, sorted(work.split.test), work.folder)


def _keep(
    work: CellWork,
    task: "SynthesisTask",
    datamodule: "SliceDataModule",
    settings: "TrainerSettings",
    record: dict[str, Any],
    sums: "SumsTable",
    loggers: "list[Logger]",
) -> None:
    """Write what the test gave; metrics.json comes last, and makes the cell done."""
    from sct.core.figures import figures
    from sct.study.examples import write_examples

    folder, cfg = work.folder, work.cfg
    sums.write_csv(folder / "sums.csv")
    examples = predict_examples(task, datamodule, work.window, cfg.examples, settings)
    if examples is not None:
        write_examples(folder / "examples.npz", examples)
        draw_examples(folder / "figure.png", examples, work.cell)
    if cfg.evaluate == "volume":
        evaluate_volumes(task.network, work.config, work.store.settings, sorted(work.split.test), folder)
    found = figures(sums.pooled(), cfg.metrics.thresholds, work.window)
    found |= {"n_participants": len(work.split.test)} | record
    log_results(loggers, found, sums, examples)
    write_json(folder / "metrics.json", found)
    (folder / "last.ckpt").unlink(missing_ok=True)

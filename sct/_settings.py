"""The settings that a run's configuration stands for; its mistakes are told before anything is made or trained."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sct._cells import is_baseline
from sct._loggers import check_logger
from sct._made import made, try_loss, try_network, try_optimizer
from sct._volumes import EVALUATIONS
from sct.core.errors import SctError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from sct.core.gray import Window
    from sct.core.pixel_sums import SumsLayout
    from sct.training.fitting import TrainerSettings
    from sct.training.folds import FoldPlan

__all__ = ["check_configuration", "fold_plan", "sums_layout", "trainer_settings"]


def check_configuration(cfg: "DictConfig", on_this_machine: bool = True) -> None:
    """Look for every mistake that shows without the data.

    Args:
        cfg: A composed configuration with a single `experiment.value`.
        on_this_machine: Whether the training will be here, so that its devices must be.

    Raises:
        SctError: A value is wrong; the line names its key.
    """
    from sct.preparation.settings import PrepareSettings
    from sct.training.datamodule import check_loading

    if not isinstance(cfg.runs, str) or not cfg.runs:
        raise SctError(f"runs={cfg.runs}: must be a folder")
    prepare = PrepareSettings.from_plain(_plain(cfg, "prepare"))
    if cfg.evaluate not in EVALUATIONS:
        raise SctError(f"evaluate={cfg.evaluate}: must be {' or '.join(EVALUATIONS)}")
    if not isinstance(cfg.examples, int) or cfg.examples < 0:
        raise SctError(f"examples={cfg.examples}: must be a whole number, 0 for none")
    _plain(cfg, "metrics")
    fold_plan(cfg)
    sums_layout(cfg, prepare.window)
    trainer = trainer_settings(cfg)
    check_loading(cfg.data.batch_size, cfg.data.resident, trainer.devices)
    if on_this_machine:
        trainer.check_machine()
    made(cfg, "augment")
    _try_network(cfg, prepare.size_px)
    try_loss(made(cfg, "loss.function"), prepare.size_px)
    try_optimizer(made(cfg, "optim"))
    check_logger(_plain(cfg, "logger"))


def fold_plan(cfg: "DictConfig") -> "FoldPlan":
    """How the cohort is split.

    Raises:
        SctError: A mistake in `data` or `experiment`.
    """
    from sct.training.folds import FoldPlan

    experiment = cfg.experiment
    if experiment.condition is None and (experiment.column is not None or experiment.value is not None):
        raise SctError(
            f"experiment.column={experiment.column} experiment.value={experiment.value}: nothing without "
            "experiment.condition (baseline, separate, augmented); +cohort.where.COLUMN=VALUE chooses participants"
        )
    return FoldPlan(
        n_folds=cfg.data.n_folds,
        fold_seed=cfg.data.fold_seed,
        val_fraction=cfg.data.val_fraction,
        val_unit=cfg.data.val_unit,
        condition=cfg.experiment.condition or "all",
        column=cfg.experiment.column,
        value=None if cfg.experiment.value is None else str(cfg.experiment.value),
    )


def sums_layout(cfg: "DictConfig", window: "Window") -> "SumsLayout":
    """What is summed in the test.

    Raises:
        SctError: A mistake in `metrics`.
    """
    from sct.core.pixel_sums import SumsLayout

    if cfg.metrics.rows not in ("plane", "slice"):
        raise SctError(f"metrics.rows={cfg.metrics.rows}: must be plane or slice")
    try:
        return SumsLayout(tuple(str(t) for t in cfg.metrics.thresholds), window)
    except (ArithmeticError, TypeError, ValueError) as error:  # the first: not a decimal
        raise SctError(
            f"metrics.thresholds={cfg.metrics.thresholds}: must be a list of distinct gray values in (0, 1]"
        ) from error


def trainer_settings(cfg: "DictConfig") -> "TrainerSettings":
    """How to train; a classical baseline is fitted in one process, and computed in full precision.

    Raises:
        SctError: A mistake in `trainer`.
    """
    from sct.training.fitting import TrainerSettings

    try:
        settings = TrainerSettings(**_plain(cfg, "trainer"))
    except TypeError as error:
        raise SctError(f"trainer: {error}") from error
    return replace(settings, devices=1, precision="32-true", compile=False) if is_baseline(cfg) else settings


def _try_network(cfg: "DictConfig", size_px: int) -> None:
    """Make and try the network, once in a sweep's process: a large one takes a second."""
    key = f"{_plain(cfg, 'model')} {size_px}"
    if key not in _tried:
        network = made(cfg, "model.network")
        if not is_baseline(cfg):  # which has nothing to predict by before it is fitted
            try_network(network, size_px)
        _tried.add(key)


_tried: set[str] = set()
"""Networks that were tried in this process."""


def _plain(cfg: "DictConfig", name: str) -> dict[str, Any]:
    from omegaconf import OmegaConf

    node = OmegaConf.to_container(cfg[name], resolve=True) if OmegaConf.is_dict(cfg[name]) else None
    if not isinstance(node, dict):
        raise SctError(f"{name}={cfg[name]}: must be a mapping of keys to values")
    return {str(key): value for key, value in node.items()}

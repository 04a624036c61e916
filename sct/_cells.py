"""The cells of one composed configuration: a fold each, and each value of a generalizability experiment's column."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sct.core.errors import SctError
from sct.study.cells import Cell

if TYPE_CHECKING:
    from omegaconf import DictConfig

__all__ = ["CellTemplate", "cell_templates", "folds_of", "is_baseline", "job_cells", "kept_config"]

_LARGEST_SEED = 2**32 - 1  # that numpy and Lightning take


def job_cells(config: "DictConfig") -> list[tuple["DictConfig", Cell]]:
    """The cells of one composed configuration: one for each fold, and for each value of `experiment.value=all`.

    A classical baseline knows neither loss nor seed: its cells are `none/seed-0`. The condition `separate` trains on
    all other values and tests on the whole subset, so it has fold 0 only.

    Returns:
        Each cell with its configuration, in which `experiment.value` is a single one.

    Raises:
        SctError: A fold that does not exist; an unknown column; a name that cannot be a folder.
    """
    return [
        (template.config, cell)
        for template in cell_templates(config)
        for cell in template.cells(config.seed, config.fold)
    ]


def kept_config(config: "DictConfig") -> dict[str, Any]:
    """The configuration resolved to plain types, as its run folder keeps it: a baseline's without loss and training."""
    from omegaconf import OmegaConf

    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    unused = {"loss": {"name": "none"}, "optim": None, "augment": None} if is_baseline(config) else {}
    return {str(key): value for key, value in plain.items()} | unused


def is_baseline(config: Any) -> bool:
    """Whether the model is a classical baseline, which knows neither loss nor seed."""
    return bool(config.model.get("baseline", False))


def folds_of(value: Any, n_folds: int) -> list[int]:
    """The fold numbers that `fold=` stands for: `all`, a number or a list of numbers.

    Raises:
        SctError: Something else, or a fold that does not exist.
    """
    if value == "all":
        return list(range(n_folds))
    folds = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    for fold in folds:
        if isinstance(fold, bool) or not isinstance(fold, int) or not 0 <= fold < n_folds:
            raise SctError(f"fold={fold}: give all, or numbers from 0 to {n_folds - 1} (data.n_folds={n_folds})")
    if not folds:
        raise SctError(f"fold={value}: names no fold; give all, or numbers from 0 to {n_folds - 1}")
    return folds


@dataclass(frozen=True)
class CellTemplate:
    """Everything of a cell but seed and fold.

    Attributes:
        config: The configuration, with a single `experiment.value`.
        names: Of cohort, experiment, model and loss.
        fits_once: Whether the seed plays no part.
        whole_subset: Whether the only fold is number 0.
        n_folds: Folds of the cross-validation.
    """

    config: "DictConfig"
    names: Mapping[str, str]
    fits_once: bool
    whole_subset: bool
    n_folds: int

    def cells(self, seed: Any, fold: Any) -> list[Cell]:
        """The cells of a value of `seed` and one of `fold`.

        Raises:
            SctError: The seed or a fold is no such number; a name cannot be a folder.
        """
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= _LARGEST_SEED:
            raise SctError(f"seed={seed}: give a whole number from 0 to {_LARGEST_SEED}")
        folds = folds_of(fold, self.n_folds)
        return [
            Cell(**self.names, seed=0 if self.fits_once else seed, fold=k)
            for k in ([0] if self.whole_subset else folds)
        ]


def cell_templates(config: "DictConfig") -> Iterator[CellTemplate]:
    """One template, or one for each value of `experiment.value=all`.

    Raises:
        SctError: A part of the configuration is missing; `data.n_folds` is no whole number; an unknown column.
    """
    for name in ("cohort", "experiment", "model", "loss", "data"):
        if not hasattr(config.get(name), "keys"):
            raise SctError(f"{name}={config.get(name)}: must be a mapping of keys to values")
    for one in _each_value(config):
        names = {}
        for key in ("cohort", "experiment", "model", "loss"):
            if one[key].name is None:
                raise SctError(f"{key}.name=null: must be a name, since it names a folder")
            names[key] = str(one[key].name)
        once = is_baseline(one)
        names["loss"] = "none" if once else names["loss"]
        if not isinstance(one.data.n_folds, int):
            raise SctError(f"data.n_folds={one.data.n_folds}: must be a whole number")
        yield CellTemplate(one, names, once, one.experiment.condition == "separate", one.data.n_folds)


def _each_value(config: "DictConfig") -> Iterator["DictConfig"]:
    """The configuration, or one for each value of the experiment's column in the cohort."""
    if config.experiment.value != "all":
        yield config
        return
    from sct._participants import values_of_column

    for value in values_of_column(config, str(config.experiment.column)):
        one = copy.deepcopy(config)
        one.experiment.value = value
        yield one

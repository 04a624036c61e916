"""Where the course of a training is shown beside `metrics.csv`, which is always written."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from pytorch_lightning.loggers import Logger

    from sct.study.cells import Cell

__all__ = ["make_loggers"]


def make_loggers(cfg: "DictConfig", cell: "Cell", folder: Path) -> "list[Logger]":
    """Lightning loggers of the choice `logger=`; none for csv."""
    kind = cfg.logger.name
    if kind == "tensorboard":
        from pytorch_lightning.loggers import TensorBoardLogger

        return [TensorBoardLogger(str(folder), name="", version="tensorboard")]
    return []

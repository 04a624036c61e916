"""Where the course of a training is shown beside `metrics.csv`, which is always written."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sct.core.errors import SctError

if TYPE_CHECKING:
    from pytorch_lightning.loggers import Logger

    from sct.core.sums import SumsTable
    from sct.study.cells import Cell
    from sct.study.examples import Examples

__all__ = ["check_logger", "log_results", "open_loggers"]


def check_logger(settings: Mapping[str, Any]) -> None:
    """Find out what would keep a logger from working, before anything is trained or written.

    Raises:
        SctError: A name that is no choice of `conf/logger/`; no login to W&B.
    """
    from sct._door import choices

    if settings["name"] not in choices("logger"):
        raise SctError(
            f"logger.name={settings['name']}: no such logger; logger={' or logger='.join(choices('logger'))}"
        )
    if settings["name"] == "wandb":
        from sct._wandb import check_login

        check_login()


@contextmanager
def open_loggers(config: Mapping[str, Any], cell: "Cell", folder: Path, rank: int = 0) -> "Iterator[list[Logger]]":
    """Lightning loggers of the choice `logger=`, closed at the end of the block; none for csv.

    Args:
        config: The resolved configuration.
        cell: Names the run.
        folder: The run folder, where they keep their files.
        rank: Number of this process; of several, the first reports.

    Raises:
        SctError: W&B cannot be reached.
    """
    settings = config["logger"]
    if rank != 0:
        yield []
    elif settings["name"] == "tensorboard":
        from pytorch_lightning.loggers import TensorBoardLogger

        board = TensorBoardLogger(str(folder), name="", version="tensorboard", default_hp_metric=False)
        try:
            yield [board]
        finally:
            board.finalize("finished")
    elif "mode" in settings:
        from sct._wandb import open_run

        with open_run(config, cell, folder) as logger:
            yield [logger]
    else:
        yield []


def log_results(loggers: "list[Logger]", found: dict[str, Any], sums: "SumsTable", examples: "Examples | None") -> None:
    """Show the test: figures, a table by participant and plane, curves over the threshold, pictures of differences.

    Args:
        loggers: As opened.
        found: The figures of all test slices, as in metrics.json.
        sums: What they come from.
        examples: Slices with their prediction; None without.
    """
    if not loggers:
        return
    from pytorch_lightning.loggers import TensorBoardLogger

    from sct._wandb import WandbLogger

    scalars = {f"test_{key}": value for key, value in found.items() if isinstance(value, int | float)}
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.log_test(scalars, found, sums, examples)
        elif isinstance(logger, TensorBoardLogger):
            logger.log_metrics(scalars, step=int(found["epochs"]))

"""Weights & Biases: a run per cell, with nothing in it that identifies anybody but by participant_id."""

import os
import uuid
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from netrc import NetrcParseError, netrc
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
from pytorch_lightning.loggers import Logger

from sct.core.errors import SctError
from sct.core.files import write_text
from sct.core.gray import Window, gray_to_hu
from sct.study.paper import METRICS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sct.core.sums import SumsTable
    from sct.study.cells import Cell
    from sct.study.examples import Examples

__all__ = ["WandbLogger", "check_login", "difference_image", "open_run", "without_paths"]

_FIGURES = tuple(metric.key for metric in METRICS)


def check_login() -> None:
    """Say what is missing instead of asking on a terminal that nobody may be watching.

    Raises:
        SctError: There is no API key, neither in WANDB_API_KEY nor where `wandb login` keeps it.
    """
    if os.environ.get("WANDB_API_KEY"):
        return
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    for path in filter(None, (os.environ.get("NETRC"), "~/.netrc", "~/_netrc")):
        with suppress(OSError, NetrcParseError):
            if netrc(Path(path).expanduser()).authenticators(host):
                return
    raise SctError("logger=wandb: no login; run `wandb login` once, or take logger=wandb_offline and sync later")


@contextmanager
def open_run(config: Mapping[str, Any], cell: "Cell", folder: Path) -> "Iterator[WandbLogger]":
    """A run of W&B while the block runs; a cell that goes on goes on with the same run.

    Raises:
        SctError: W&B cannot be reached, or refuses; a value of `logger` is wrong.
    """
    run = _start(config, cell, folder)
    run.define_metric("*", step_metric="epoch")
    try:
        yield WandbLogger(run, Window(**config["prepare"]["window"]))
    except BaseException:
        run.finish(exit_code=1)
        raise
    run.finish()


class WandbLogger(Logger):
    """Lightning's metrics to a run of W&B.

    Lightning's own class collects what its user may not want to give away, and cannot be told not to.

    Args:
        run: The run.
        window: Turns gray values of the examples into HU.
    """

    def __init__(self, run: Any, window: Window) -> None:
        super().__init__()
        self._run = run
        self._window = window

    @property
    def name(self) -> str:
        """The run's project."""
        return str(self._run.project)

    @property
    def version(self) -> str:
        """The run's id."""
        return str(self._run.id)

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Log losses and figures of an epoch."""
        self._run.log(metrics)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: the run has the whole configuration."""

    def log_test(
        self, scalars: dict[str, Any], found: dict[str, Any], sums: "SumsTable", examples: "Examples | None"
    ) -> None:
        """Log what a test gave.

        Args:
            scalars: Figures for the run's summary.
            found: All figures, with the curves.
            sums: By participant and plane.
            examples: Slices for pictures; None without.
        """
        import wandb

        rows = wandb.Table(columns=["participant_id", "plane", "n_slices", *_FIGURES], data=_rows(sums, self._window))
        hu = [float(gray_to_hu(t, self._window)) for t in found["thresholds"]]
        names = ("bone_precision", "bone_recall", "bone_dice")
        curves = wandb.Table(
            columns=["threshold_hu", *names],
            data=list(zip(hu, *(found[f"{name}_curve"] for name in names), strict=True)),
        )
        logged: dict[str, Any] = {"test_table": rows, "threshold_curves": curves}
        for name in names:
            logged[f"{name}_by_threshold"] = wandb.plot.line(curves, "threshold_hu", name, title=name)
        if examples is not None:
            logged["examples"] = [
                wandb.Image(image, caption=caption) for image, caption in _pictures(examples, self._window)
            ]
        self._run.log(logged)
        self._run.summary.update(scalars)


def without_paths(value: Any) -> Any:
    """A configuration in which paths that lead through somebody's machine are cut to their last name."""
    if isinstance(value, Mapping):
        return {key: without_paths(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_paths(item) for item in value]
    if isinstance(value, str):
        path = PurePath(value)
        if path.is_absolute() or ".." in path.parts or value.startswith("~"):
            return path.name
    return value


def difference_image(ct: "NDArray[np.uint8]", sct: "NDArray[np.uint8]") -> "NDArray[np.uint8]":
    """Difference sCT - CT of gray levels as gray levels, uint8: 128 for none, a step for two levels."""
    difference = sct.astype(np.int16) - ct.astype(np.int16)
    levels: NDArray[np.uint8] = np.clip(128 + difference // 2, 0, 255).astype(np.uint8)
    return levels


def _start(config: Mapping[str, Any], cell: "Cell", folder: Path) -> Any:
    import wandb

    settings = config["logger"]
    folder = folder.resolve()  # W&B's own process may have been started elsewhere
    # Tables that wait to be sent, and logs: by default in the home folder.
    os.environ |= {"WANDB_DATA_DIR": str(folder / "wandb"), "WANDB_CACHE_DIR": str(folder / "wandb")}
    try:
        return wandb.init(
            project=settings["project"],
            entity=settings["entity"],
            group=f"{cell.cohort}/{cell.experiment}",
            job_type="train",
            name=cell.label,
            id=_run_id(folder),
            resume="allow",
            tags=[cell.model, cell.loss, f"seed-{cell.seed}", f"fold-{cell.fold}"],
            config=without_paths(config),
            dir=str(folder),
            mode=settings["mode"],
            settings=wandb.Settings(
                # Nothing of the person, the machine or its folders.
                host="",
                username="",
                email="",
                program="sct.run",
                root_dir=str(folder),
                console="off",
                disable_git=True,
                disable_code=True,
                disable_job_creation=True,
                save_code=False,
                silent=True,
                init_timeout=float(settings["timeout_s"]),
                x_disable_meta=True,
                x_disable_machine_info=True,
                x_disable_stats=True,
                x_save_requirements=False,
            ),
        )
    except (wandb.errors.Error, TimeoutError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise SctError(f"logger=wandb: {reason}; logger=wandb_offline needs no network") from error


def _run_id(folder: Path) -> str:
    """The run's id, drawn once and kept in the run folder."""
    path = folder / "wandb" / "id.txt"
    if not path.exists():
        write_text(path, uuid.uuid4().hex[:12] + "\n")
    return path.read_text(encoding="utf-8").strip()


def _rows(sums: "SumsTable", window: Window) -> list[Iterable[Any]]:
    from sct.core.figures import figures

    rows: list[Iterable[Any]] = []
    for key, values in sums.rows.items():
        found = figures(values, window=window)
        rows.append([key[0], key[1], found["n_slices"], *(found[name] for name in _FIGURES)])
    return rows


def _pictures(examples: "Examples", window: Window) -> "list[tuple[NDArray[np.uint8], str]]":
    limit_hu = window.width_hu  # two levels a step: 255 levels of gray reach as far as the window is wide
    pictures = []
    for k, name in enumerate(examples.participant_ids):
        mr, ct, sct = examples.mr[k], examples.ct[k], examples.sct[k]
        image = np.concatenate([mr, ct, sct, difference_image(ct, sct)], axis=1)
        what = f"{name}, {examples.planes[k]} slice {examples.slice_indices[k]}"
        pictures.append((image, f"{what}: MR, CT, sCT, difference (black to white: -{limit_hu:g} to {limit_hu:g} HU)"))
    return pictures

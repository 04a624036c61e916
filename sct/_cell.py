"""One cell from its configuration to a self-sufficient run folder."""

import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from sct._cells import kept_config
from sct._settings import fold_plan, trainer_settings
from sct._work import CellWork, add_volumes, make_cell
from sct.core.errors import SctError
from sct.core.files import file_sha256, read_json, write_json, write_text
from sct.core.gray import Window
from sct.core.versions import versions
from sct.preparation.store import SliceStore
from sct.study.cells import Cell
from sct.study.claims import claim
from sct.study.configuration import first_difference, scientific

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from sct.training.folds import Split

__all__ = ["CellRunner"]


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

        cfg = OmegaConf.create(OmegaConf.to_container(cfg, resolve=True))  # type: ignore[assignment]
        config = _weights_named(kept_config(cfg)) | {"seed": cell.seed, "fold": cell.fold}
        work = CellWork(self._store, cfg, config, cell, cell.folder(Path(cfg.runs)), self.split(cfg, cell))
        with claim(work.folder) as ours:
            if not ours:
                print(f"{cell.label}: another process is at it", file=sys.stderr)
                return True
            self._compare(work)
            if not (work.folder / "metrics.json").exists():
                return self._make(work)
            print(f"{cell.label}: done before", file=sys.stderr)
            if cfg.evaluate == "volume" and not (work.folder / "volumes.json").exists():
                add_volumes(work)
        return True

    def split(self, cfg: "DictConfig", cell: Cell) -> "Split":
        """Who of the store trains, validates and is tested in a cell.

        Raises:
            SctError: A mistake in `data` or `experiment`; a subset with too few participants.
        """
        records = {name: self._store.record(name) for name in self._store.participant_ids}
        n_slices = {name: record.n_slices for name, record in records.items()}
        columns = {name: record.columns for name, record in records.items()}
        return fold_plan(cfg).split(n_slices, columns, cell.fold, cell.seed)

    def _compare(self, work: CellWork) -> None:
        """Refuse a folder that holds a run of something else, or lies beside one: the folds would be pooled."""
        from sct.study.settings import read_config

        folds = sorted(work.folder.parent.glob("fold-*/config.yaml"), key=lambda path: path.parent != work.folder)
        for path in folds:  # its own first
            difference = first_difference(scientific(read_config(path)), scientific(work.config))
            if difference:
                self._refuse(path.parent, difference)
        now = self._fingerprint(work)
        for split in sorted(work.folder.parent.glob("fold-*/split.json")):
            slices = read_json(split).get("store_fingerprint")
            if slices != now:
                self._refuse(split.parent, f"the slices: store {slices} before, {now} now")

    def _refuse(self, folder: Path, difference: str) -> NoReturn:
        raise SctError(
            f"{folder}: holds a run of another configuration ({difference}); "
            "give this one a name with experiment.name=..., or remove the folder"
        )

    def _fingerprint(self, work: CellWork) -> str:
        return self._store.fingerprint({*work.split.train, *work.split.val, *work.split.test})

    def _make(self, work: CellWork) -> bool:
        """Make the cell; an error is kept in its folder.

        Returns:
            Whether there was none.

        Raises:
            SctError: A mistake in the configuration, found before anything is written.
        """
        from omegaconf import OmegaConf

        from sct.training.processes import run_together

        settings, built = trainer_settings(work.cfg), work.build()
        folder, split = work.folder, work.split
        counts = f"{len(split.train)} participants to learn from, {len(split.test)} to test"
        print(f"{work.cell.label}: {counts}", file=sys.stderr)
        (folder / "error.txt").unlink(missing_ok=True)
        write_text(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(dict(work.config))))
        write_json(folder / "split.json", split.to_json() | {"store_fingerprint": self._fingerprint(work)})
        write_json(folder / "versions.json", versions())
        try:
            if settings.devices > 1:
                del built  # each process has its own
                run_together(make_cell, (work,), settings.devices, settings.backend)
            else:
                make_cell(work, built=built)
        except SctError as error:
            try:
                write_text(folder / "error.txt", f"{error}\n")
            except SctError:  # the disk is full: what it was first full for is told instead
                raise error from None
            print(f"{work.cell.label}: {error}", file=sys.stderr)
            return False
        except Exception:
            write_text(folder / "error.txt", traceback.format_exc())
            traceback.print_exc()
            return False
        return True

    @property
    def window(self) -> Window:
        """The CT window of the store's gray scale."""
        return Window(**self._store.settings["window"])


def _weights_named(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration with what is in a file of pretrained weights instead of where it lies."""
    weights = config["model"]["network"].get("encoder_weights")
    if not isinstance(weights, str) or not Path(weights).is_file():
        return config
    network = config["model"]["network"] | {"encoder_weights": f"sha256:{file_sha256(Path(weights))}"}
    return config | {"model": config["model"] | {"network": network}}

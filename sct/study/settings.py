"""Refuse to put cells of different settings, or of different slices, into one table."""

import re
from pathlib import Path
from typing import Any

from sct.core.errors import SctError
from sct.study.cells import Cell
from sct.study.configuration import first_difference, is_training_key, scientific

__all__ = ["SettingsCheck", "read_config"]

_VARIES = re.compile(r"^(seed|fold): .*$", re.MULTILINE)


def read_config(path: Path) -> dict[str, Any]:
    """The resolved configuration of a run folder.

    Raises:
        SctError: The file is missing, or not a YAML mapping.
    """
    return _parse(path, _text(path))


class SettingsCheck:
    """Compares each cell's configuration with those before it.

    Model and loss settings are compared among cells of the same model and loss name, everything else among all cells;
    seed and fold may differ. Equal texts are parsed once, so that ten thousand cells cost little more than reading.

    Attributes:
        config: Configuration of the first trained cell, else of the first; None before it.
    """

    def __init__(self) -> None:
        self.config: dict[str, Any] | None = None
        self._is_baseline = False
        self._seen: set[tuple[str, str, str, str]] = set()
        self._first: dict[tuple[str, ...], tuple[str, dict[str, Any]]] = {}
        self._slices: dict[str, tuple[str, str]] = {}

    def add(self, cell: Cell, folder: Path) -> None:
        """Take in the cell of a run folder.

        Raises:
            SctError: Its `config.yaml` is unreadable, or differs; the line names the first difference.
        """
        path = folder / "config.yaml"
        text = _text(path)
        fingerprint = (cell.experiment, cell.model, cell.loss, _VARIES.sub("", text))
        if fingerprint in self._seen:
            return
        self._seen.add(fingerprint)
        config = _parse(path, text)
        if self.config is None or (self._is_baseline and cell.loss != "none"):  # which has no settings of training
            self.config, self._is_baseline = config, cell.loss == "none"
        for name, settings in _parts(cell, scientific(config)).items():
            label, before = self._first.setdefault(name, (cell.label, settings))
            difference = first_difference(before, settings)
            if difference:
                raise SctError(
                    f"{path}: other settings than {label}, under one name: {difference}; "
                    "keep them apart with experiment.name=..."
                )

    def add_slices(self, cell: Cell, folder: Path, fingerprint: str | None) -> None:
        """Take in what a cell's slices were; None where it does not tell.

        Raises:
            SctError: Another cell of its experiment had others: the cohort, or how it is prepared, changed between.
        """
        if fingerprint is not None:
            label, before = self._slices.setdefault(cell.experiment, (cell.label, fingerprint))
            if before != fingerprint:
                raise SctError(
                    f"{folder}: made of other slices than {label} (store {fingerprint[:8]}, {before[:8]} there): the "
                    "cohort changed between them; remove the older one and run it again"
                )


def _parts(cell: Cell, flat: dict[str, Any]) -> dict[tuple[str, ...], dict[str, Any]]:
    """Settings by what they are compared among: all cells, all trained cells, a model, a loss."""
    parts: dict[tuple[str, ...], dict[str, Any]] = {("all",): {}, ("model", cell.model): {}}
    if cell.loss != "none":
        parts |= {("training",): {}, ("loss", cell.loss): {}}
    for key, value in flat.items():
        head = key.partition(".")[0]
        if head in {"seed", "experiment"}:
            continue
        name = {"model": ("model", cell.model), "loss": ("loss", cell.loss)}.get(head, ("all",))
        if is_training_key(key):
            name = ("training",)
        if name in parts:
            parts[name][key] = value
    return parts


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SctError(f"{path}: no such file; the run folder is not whole, remove it and run again") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SctError(f"{path}: cannot be read ({error})") from error


def _parse(path: Path, text: str) -> dict[str, Any]:
    import yaml

    try:
        config = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise SctError(f"{path}: not readable as YAML ({' '.join(str(error).split())})") from error
    if not isinstance(config, dict):
        raise SctError(f"{path}: not a configuration (no YAML mapping)")
    return config

"""Call a door as a user would, in this process."""

import importlib
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

TINY = [
    "cohort.phantom.participants=4",
    "cohort.phantom.spacing_mm=8",
    "prepare.size_px=32",
    "prepare.spacing_mm=8",
    "prepare.jobs=1",
    "prepare.min_mask_mm2=2000",
]
"""A cohort so small that all of it is made, prepared and trained on in seconds."""

TINY_TRAINING = ["model.widths=[4,8]", "data.batch_size=16", "trainer.max_epochs=2", "examples=3"]


BESIDE = re.compile(r"warning: |wandb: |\S+/fold-\d+: |.*(%\||/s\]|it\])")
"""What may stand on stderr beside an error: warnings, what a cell says, and bars (split at their carriage returns)."""


@dataclass(frozen=True)
class Answer:
    """What a person would see."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line of a user's mistake; fails when there is none, or anything beside bars and warnings of ours."""
        assert self.code in {1, 2}, (self.code, self.out, self.err)
        lines = [line for line in self.err.splitlines() if line.strip() and not BESIDE.match(line)]
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: "), self.err
        return lines[0]


class Doors:
    """Doors called in a folder of their own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._capfd = capfd

    def __call__(self, door: str, *words: str | Path) -> Answer:
        """`python -m sct.<door> words...` in the folder."""
        self._monkeypatch.chdir(self.folder)
        self._monkeypatch.setattr(sys, "argv", [f"sct {door}", *map(str, words)])
        self._monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
        self._capfd.readouterr()
        code = 0
        try:
            importlib.import_module(f"sct.{door}").main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        out, err = self._capfd.readouterr()
        return Answer(code, out, err)

    def run(self, *words: str | Path) -> Answer:
        """`python -m sct.run` with the tiny cohort and training."""
        return self("run", *TINY, *TINY_TRAINING, *words)

    def cell(self, loss: str = "mae", seed: int = 0, fold: int = 0, model: str = "light_unet") -> Path:
        """Run folder of a cell of the tiny cohort."""
        return self.folder / "runs/phantom/main" / model / loss / f"seed-{seed}" / f"fold-{fold}"


def exit_code(monkeypatch: pytest.MonkeyPatch, door: str, *words: str) -> int:
    """`python -m sct.<door> words...` where the test is, its output left to the test."""
    monkeypatch.setattr(sys, "argv", [f"sct.{door}", *words])
    try:
        importlib.import_module(f"sct.{door}").main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def same_weights(a: Path, b: Path) -> bool:
    """Whether two checkpoints hold the same tensors, bit by bit."""
    from sct.training.checkpoint import read_checkpoint

    one, other = read_checkpoint(a)["state_dict"], read_checkpoint(b)["state_dict"]
    return one.keys() == other.keys() and all(one[key].equal(other[key]) for key in one)

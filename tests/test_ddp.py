"""One cell in two processes (gloo, on CPUs): the same sums, one set of files, one end."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from doors import TINY, TINY_TRAINING, Doors, same_weights

from sct.core.errors import SctError
from sct.core.sums import SumsTable
from sct.training.processes import ProcessError, run_together

TWO = ["fold=0", "trainer.devices=2", "trainer.accelerator=cpu", "data.batch_size=23"]
"""No multiple of the batch in any part of the tiny cohort, so that the processes have unequal shares."""


def test_two_processes_sum_what_one_sums(tiny: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    from sct.preparation.store import SliceStore
    from sct.training.checkpoint import load_network
    from sct.training.datamodule import SliceDataModule
    from sct.training.fitting import TrainerSettings, test
    from sct.training.folds import Split
    from sct.training.task import SynthesisTask

    slurm = {"JOB_ID": "7", "JOB_NAME": "sct", "NTASKS": "1", "PROCID": "0", "LOCALID": "0", "NODEID": "0"}
    for name, value in slurm.items():  # a job of submitit: Lightning shall not take its one task for one of two
        monkeypatch.setenv(f"SLURM_{name}", value)
    answer = tiny.run(*TWO)
    assert answer.code == 0, answer.err
    assert [line.split(":")[0] for line in answer.err.splitlines()][1:] == ["epoch 0", "epoch 1"], answer.err
    names = {path.name for path in tiny.cell().iterdir() if not path.name.startswith(".")}
    assert names == {
        "config.yaml", "split.json", "metrics.csv", "best.ckpt", "sums.csv", "metrics.json", "versions.json",
        "examples.npz", "figure.png",
    }  # fmt: skip
    assert [row["epoch"] for row in csv.DictReader((tiny.cell() / "metrics.csv").open())] == ["0", "1"]
    parts = json.loads((tiny.cell() / "split.json").read_text())
    split = Split(*({pid: np.arange(n) for pid, n in parts[name].items()} for name in ("train", "val", "test")))
    data = SliceDataModule(SliceStore(tiny.folder / "data/phantom/store-resize-32px-8mm"), split, batch_size=23)
    task = SynthesisTask(load_network(tiny.cell() / "best.ckpt").network, torch.nn.L1Loss())
    alone = test(task, data, tiny.cell(), TrainerSettings(accelerator="cpu"))
    assert alone.rows == SumsTable.read_csv(tiny.cell() / "sums.csv").rows


def test_an_interrupted_run_of_two_processes_goes_on_as_if_nothing_had_been(tiny: Doors) -> None:
    tiny.run(*TWO, "trainer.max_epochs=3")
    whole = tiny.folder / "whole"
    (tiny.folder / "runs").rename(whole)
    command = [sys.executable, "-m", "sct.run", *TINY, *TINY_TRAINING, *TWO, "trainer.max_epochs=3"]
    run = subprocess.Popen(command, cwd=tiny.folder, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    last = tiny.cell() / "last.ckpt"
    while not last.exists() and run.poll() is None:
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)  # the parent alone: its processes must end too
    run.wait()
    assert tiny.run(*TWO, "trainer.max_epochs=3").code == 0
    before = whole / tiny.cell().relative_to(tiny.folder / "runs")
    assert same_weights(before / "best.ckpt", tiny.cell() / "best.ckpt")
    assert (before / "sums.csv").read_bytes() == (tiny.cell() / "sums.csv").read_bytes()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["data.batch_size=1"], "data.batch_size=1: must be at least the number of processes, 2"),
        (["optim.lr=1e30"], "training diverged"),
    ],
)
def test_a_mistake_in_the_processes_is_one_line(tiny: Doors, words: list[str], told: str) -> None:
    answer = tiny.run(*TWO, *words)
    assert answer.code == 1
    assert told in answer.error
    assert "Traceback" not in answer.err


@pytest.mark.slow
def test_a_sweep_of_cells_in_two_processes_each(tiny: Doors) -> None:
    answer = tiny("run", "-m", *TINY, *TINY_TRAINING, *TWO, "loss=mae,mse", "trainer.max_epochs=1", "examples=0")
    assert answer.code == 0, answer.err
    assert (tiny.cell("mae") / "metrics.json").exists()
    assert (tiny.cell("mse") / "metrics.json").exists()


def _work(folder: Path, what: str, *, rank: int) -> None:
    """What the tests below have processes do."""
    (folder / f"pid-{rank}").write_text(str(os.getpid()))
    total = torch.tensor([rank + 1])
    torch.distributed.all_reduce(total)
    (folder / f"sum-{rank}").write_text(str(int(total)))
    if rank == 1:
        {"die": _die, "fail": _fail, "mistake": _mistake}.get(what, lambda: None)()
    if what != "":
        torch.distributed.barrier()  # where the first waits for the second


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _fail() -> None:
    raise ValueError("no luck in this process")


def _mistake() -> None:
    raise SctError("trainer.something: wrong")


def test_processes_form_a_group(tmp_path: Path) -> None:
    run_together(_work, (tmp_path, ""), 2, "gloo")
    assert [(tmp_path / f"sum-{rank}").read_text() for rank in (0, 1)] == ["3", "3"]


@pytest.mark.parametrize(
    ("what", "error", "told"),
    [
        ("die", ProcessError, "process 1 of 2 died"),
        ("fail", ProcessError, "ValueError: no luck in this process"),
        ("mistake", SctError, "trainer.something: wrong"),
    ],
)
def test_one_that_fails_ends_all(tmp_path: Path, what: str, error: Any, told: str) -> None:
    with pytest.raises(error) as caught:
        run_together(_work, (tmp_path, what), 2, "gloo")
    assert str(caught.value).strip().endswith(told) or told in str(caught.value)
    for rank in (0, 1):
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / f"pid-{rank}").read_text()), 0)

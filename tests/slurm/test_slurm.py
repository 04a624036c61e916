"""A sweep as a job array on a real SLURM: one cell preempted, one killed, and nothing lost."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from doors import TINY
from one_node import OneNodeSlurm

pytestmark = pytest.mark.slurm

EPOCHS = 60  # long enough to be hit in the middle
WORDS = [
    *TINY,
    "loss=mae,mse",
    "seed=0,1",
    "fold=0",
    f"trainer.max_epochs={EPOCHS}",
    f"trainer.patience={EPOCHS}",
    "model.widths=[16,32,64]",
    "data.batch_size=4",
    "examples=0",
]
LAUNCHER = [
    "launcher=slurm",
    "launcher.gpus_per_node=1",
    "launcher.cpus_per_task=1",
    "launcher.mem_gb=2",
    "launcher.timeout_min=20",
    "launcher.array_parallelism=2",
    "+launcher.sbatch.comment=sct",
]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneNodeSlurm]:
    """A running SLURM."""
    node = OneNodeSlurm(tmp_path_factory.mktemp("slurm"))
    try:
        node.start()
        yield node
    finally:
        node.stop()


def _sct(slurm: OneNodeSlurm, folder: Path, door: str, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", f"sct.{door}", *words]
    return subprocess.run(command, cwd=folder, env=_environment(slurm), capture_output=True, text=True, timeout=600)


def _environment(slurm: OneNodeSlurm) -> dict[str, str]:
    return {**slurm.environment, "OMP_NUM_THREADS": "1"}


def _wait_for(what: str, met: Callable[[], bool], seconds: float = 300) -> None:
    for _ in range(int(seconds * 10)):
        if met():
            return
        time.sleep(0.1)
    raise AssertionError(f"waited in vain for {what}")


def _epochs(cell: Path) -> list[int]:
    path = cell / "metrics.csv"
    return [int(row["epoch"]) for row in csv.DictReader(path.open())] if path.exists() else []


def _cell(folder: Path, loss: str, seed: int) -> Path:
    return folder / f"runs/phantom/main/light_unet/{loss}/seed-{seed}/fold-0"


def _counts(ledger: str) -> list[int]:
    """Cells done, running, failed and missing."""
    return next([int(word) for word in line.split()[1:]] for line in ledger.splitlines() if line.startswith("all "))


def _owner(cell: Path) -> int:
    return int(json.loads((cell / "claim.json").read_text())["pid"])


def test_a_sweep_survives_preemption_and_death(slurm: OneNodeSlurm, tmp_path: Path) -> None:
    assert _sct(slurm, tmp_path, "prepare", *TINY).returncode == 0
    command = [sys.executable, "-m", "sct.run", "-m", *WORDS, *LAUNCHER]
    with (tmp_path / "sweep.log").open("w") as log:
        sweep = subprocess.Popen(command, cwd=tmp_path, env=_environment(slurm), stdout=log, stderr=log)
    cells = {(loss, seed): _cell(tmp_path, loss, seed) for loss in ("mae", "mse") for seed in (0, 1)}

    preempted, killed = cells["mae", 0], cells["mae", 1]
    _wait_for(
        "two running cells",
        lambda: sweep.poll() is not None or all(len(_epochs(cell)) >= 2 for cell in (preempted, killed)),
    )
    assert sweep.poll() is None, (tmp_path / "sweep.log").read_text()
    array = next(iter(slurm.jobs())).partition("_")[0]
    os.kill(_owner(preempted), signal.SIGUSR2)  # what SLURM sends before a time limit or a preemption
    os.kill(_owner(killed), signal.SIGKILL)
    assert not (preempted / "metrics.json").exists()

    assert sweep.wait(timeout=600) != 0  # one of its jobs died
    told = (tmp_path / "sweep.log").read_text()
    _wait_for("the requeued cell", lambda: (preempted / "metrics.json").exists())
    _wait_for("the other cells", lambda: all((cells["mse", seed] / "metrics.json").exists() for seed in (0, 1)))
    assert (killed / "last.ckpt").exists(), told
    assert not (killed / "metrics.json").exists()
    assert _epochs(preempted) == list(range(EPOCHS))  # each epoch once: it went on, and did not begin again
    assert array in (tmp_path / "runs/phantom/main/.sweep/.submitit").iterdir().__next__().name

    ledger = _sct(slurm, tmp_path, "ledger", *WORDS)
    assert ledger.returncode == 3
    assert _counts(ledger.stdout) == [3, 0, 0, 1], ledger.stdout + ledger.stderr

    done_before = len(_epochs(killed))
    again = _sct(slurm, tmp_path, "run", "-m", *WORDS, *LAUNCHER)
    assert again.returncode == 0, again.stderr
    assert _epochs(killed) == list(range(EPOCHS))
    assert done_before < EPOCHS
    assert _sct(slurm, tmp_path, "ledger", *WORDS).returncode == 0

"""A sweep killed at any moment, or one of its processes, and started again ends in the same table."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from doors import TINY, TINY_TRAINING, Doors

SWEEP = [*TINY, "-m", *TINY_TRAINING, "loss=mae,mse", "seed=0,1", "fold=0", "examples=0"]
LABELS = [f"light_unet/{loss}/seed-{seed}/fold-0" for loss in ("mae", "mse") for seed in (0, 1)]
TWO = ["launcher=local_gpus", "launcher.processes=2", "trainer.accelerator=cpu"]


def table(folder: Path) -> dict[str, bytes]:
    """The sums of every cell below a folder that is done."""
    done = [path.parent for path in folder.rglob("fold-*/metrics.json")]
    return {str(cell.relative_to(folder)): (cell / "sums.csv").read_bytes() for cell in done}


def undisturbed(tiny: Doors, *words: str) -> dict[str, bytes]:
    """The table of the sweep in this process, which is then put away."""
    answer = tiny("run", *SWEEP, *words)
    assert answer.code == 0, answer.err
    found = table(tiny.folder / "runs")
    assert len(found) == len(LABELS)
    (tiny.folder / "runs").rename(tiny.folder / "undisturbed")
    return found


def start(folder: Path, *words: str) -> "subprocess.Popen[str]":
    """The sweep in a process of its own; a launcher that shares it needs no -m."""
    sweep = [word for word in SWEEP if word != "-m" or TWO[0] not in words]
    return subprocess.Popen(
        [sys.executable, "-m", "sct.run", *sweep, *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_until(met: Callable[[], bool], sweep: "subprocess.Popen[str]") -> None:
    while not met() and sweep.poll() is None:
        time.sleep(0.005)


def epochs(cell: Path) -> int:
    """Epochs trained so far."""
    path = cell / "metrics.csv"
    return len(path.read_text().splitlines()) - 1 if path.exists() else -1


@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, 6))])
def test_a_sweep_killed_at_random_ends_in_the_same_table(tiny: Doors, seed: int) -> None:
    expected = undisturbed(tiny)
    draw = random.Random(seed)
    cell = tiny.folder / "runs/phantom/main" / draw.choice(LABELS)
    least, pause_s = draw.choice((-1, 0, 1)), draw.uniform(0, 0.3)
    sweep = start(tiny.folder)
    wait_until(lambda: cell.exists() and epochs(cell) >= least, sweep)
    time.sleep(pause_s)
    sweep.kill()
    sweep.communicate()
    ledger = tiny("ledger", *SWEEP)
    assert ledger.code in {0, 3}, ledger.err
    answer = tiny("run", *SWEEP)
    assert answer.code == 0, answer.err
    assert table(tiny.folder / "runs") == expected
    assert tiny("ledger", *SWEEP).code == 0


def test_two_processes_share_a_sweep_and_make_each_cell_once(tiny: Doors) -> None:
    expected = undisturbed(tiny)
    sweep = start(tiny.folder, *TWO)
    told, _ = sweep.communicate()
    assert sweep.returncode == 0, told
    for label in LABELS:
        assert told.count(f"] {label}: 3 participants to learn from") == 1, told
    assert {line[:3] for line in told.splitlines() if "epoch 0" in line} == {"[0]", "[1]"}
    assert next(line.split() for line in told.splitlines() if line.startswith("all ")) == ["all", "4", "0", "0", "0"]
    assert table(tiny.folder / "runs") == expected


def test_one_of_two_processes_is_killed(tiny: Doors) -> None:
    longer = ["trainer.max_epochs=15", "trainer.patience=15"]  # so that the cell is hit in the middle
    expected = undisturbed(tiny, *longer)
    cell = tiny.folder / "runs/phantom/main" / LABELS[random.Random(0).randrange(2)]  # the first two start first
    sweep = start(tiny.folder, *TWO, *longer)
    wait_until(lambda: epochs(cell) >= 1, sweep)
    os.kill(json.loads((cell / "claim.json").read_text())["pid"], signal.SIGKILL)
    told, _ = sweep.communicate()
    assert sweep.returncode == 1, told
    assert "ended with code -9" in told
    assert "Traceback" not in told
    answer = tiny("run", *SWEEP, *longer)
    assert answer.code == 0, answer.err
    assert epochs(cell) == 15
    assert table(tiny.folder / "runs") == expected


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["launcher=local_gpus", "launcher.processes=0"], "launcher.processes=0: must be auto"),
        (["launcher=local_gpus", "launcher.processes=two"], "launcher.processes=two: must be auto"),
        (["launcher=local_gpus", "launcher.processes=1.5"], "launcher.processes=1.5: must be auto"),
        (["launcher=local_gpus"], "torch finds no GPU here"),
        ([], "loss=mae,mse: several values; with -m they are a sweep"),
    ],
)
def test_a_mistake_is_one_line(tiny: Doors, monkeypatch: pytest.MonkeyPatch, words: list[str], told: str) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    assert told in tiny("run", *[word for word in SWEEP if word != "-m"], *words).error


@pytest.mark.parametrize(
    ("programs", "told"),
    [
        ({"srun": "", "sinfo": ""}, "there is no sbatch on this machine"),
        ({"sbatch": "", "srun": "", "sinfo": ""}, "there is no squeue on this machine"),
        (
            {"sbatch": "", "srun": "", "squeue": "", "sinfo": "echo sinfo: error: no controller >&2; exit 1"},
            "sinfo: error: no contr",
        ),
    ],
)
def test_no_slurm_is_one_line_and_nothing_is_trained_here(
    tiny: Doors, monkeypatch: pytest.MonkeyPatch, programs: dict[str, str], told: str
) -> None:
    folder = tiny.folder / "bin"
    folder.mkdir()
    for name, script in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    answer = tiny.run("launcher=slurm")  # a single job, without -m
    assert told in answer.error
    assert not (tiny.folder / "runs").exists()


def test_each_process_sees_one_gpu_of_those_that_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    from sct._local_gpus import _environments

    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert _environments("auto") == [{"CUDA_VISIBLE_DEVICES": "0"}, {"CUDA_VISIBLE_DEVICES": "1"}]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-5f")
    assert [one["CUDA_VISIBLE_DEVICES"] for one in _environments(3)] == ["3", "GPU-5f", "3"]

"""A sweep as a job array on a real SLURM: one cell warned of its time limit, one killed, and nothing lost."""

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
LIMIT_MIN, WARNING_S = 20, 150
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
    f"launcher.timeout_min={LIMIT_MIN}",
    f"launcher.signal_delay_s={WARNING_S}",
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


def _job(cell: Path) -> str:
    """The array's number and the task's, as the process that made the cell was told them."""
    words = Path(f"/proc/{_owner(cell)}/environ").read_text().split("\0")
    told = dict(word.split("=", 1) for word in words if "=" in word)
    return f"{told['SLURM_ARRAY_JOB_ID']}_{told['SLURM_ARRAY_TASK_ID']}"


def _let_slurm_warn(slurm: OneNodeSlurm, job: str) -> None:
    """Let a job's time end soon, so that SLURM warns it, and give it its time back once it is requeued.

    One to two minutes are left, less than `WARNING_S`: the controller warns at its next look, every 30 s.
    """
    run_time = slurm.jobs()[job]["RunTime"]
    minutes_run = int(run_time.split(":")[-2])
    slurm.limit(job, minutes_run + 2)
    _wait_for("the warning and the requeue", lambda: slurm.jobs()[job]["Restarts"] == "1")
    slurm.limit(job, LIMIT_MIN)  # while it waits for its second start


def test_a_sweep_survives_a_time_limit_and_death(slurm: OneNodeSlurm, tmp_path: Path) -> None:
    assert _sct(slurm, tmp_path, "prepare", *TINY).returncode == 0
    command = [sys.executable, "-m", "sct.run", "-m", *WORDS, *LAUNCHER]
    with (tmp_path / "sweep.log").open("w") as log:
        sweep = subprocess.Popen(command, cwd=tmp_path, env=_environment(slurm), stdout=log, stderr=log)
    cells = {(loss, seed): _cell(tmp_path, loss, seed) for loss in ("mae", "mse") for seed in (0, 1)}

    killed, warned = cells["mae", 0], cells["mae", 1]  # the first job is the one whose end is told first
    _wait_for(
        "two running cells",
        lambda: sweep.poll() is not None or all(len(_epochs(cell)) >= 2 for cell in (warned, killed)),
    )
    assert sweep.poll() is None, (tmp_path / "sweep.log").read_text()
    job = _job(warned)
    assert slurm.jobs()[job]["TimeLimit"] == f"00:{LIMIT_MIN}:00"
    scripts = (tmp_path / "runs/phantom/main/.sweep/.submitit").rglob(f"{job.partition('_')[0]}_submission.sh")
    assert f"--signal=USR2@{WARNING_S}\n" in next(scripts).read_text()
    os.kill(_owner(killed), signal.SIGKILL)
    _let_slurm_warn(slurm, job)
    done_before = len(_epochs(warned))
    assert 2 <= done_before < EPOCHS
    assert not (warned / "metrics.json").exists()

    assert sweep.wait(timeout=600) != 0  # one of its jobs died
    told = (tmp_path / "sweep.log").read_text()
    assert slurm.unfinished() == "", told  # though the first failure was known minutes before
    assert all((cells[key] / "metrics.json").exists() for key in (("mae", 1), ("mse", 0), ("mse", 1))), told
    assert slurm.jobs()[job]["Restarts"] == "1"  # ours and Lightning's handlers together
    assert (killed / "last.ckpt").exists(), told
    assert not (killed / "metrics.json").exists()
    assert _epochs(warned) == list(range(EPOCHS))
    logs = (tmp_path / "runs/phantom/main/.sweep/.submitit").rglob(f"{job}_*_log.err")
    trained = [line for log in logs for line in log.read_text().splitlines() if line.startswith("epoch ")]
    assert len(trained) == EPOCHS, told  # each epoch once, though the first start had most of them in memory only

    ledger = _sct(slurm, tmp_path, "ledger", *WORDS)
    assert ledger.returncode == 3
    assert _counts(ledger.stdout) == [3, 0, 0, 1], ledger.stdout + ledger.stderr

    done_before = len(_epochs(killed))
    again = _sct(slurm, tmp_path, "run", "-m", *WORDS, *LAUNCHER)
    assert again.returncode == 0, again.stderr
    assert _epochs(killed) == list(range(EPOCHS))
    assert done_before < EPOCHS
    assert _sct(slurm, tmp_path, "ledger", *WORDS).returncode == 0

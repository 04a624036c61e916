"""Claims: exclusive among living processes, taken over from dead ones."""

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sct.study.cells import Cell, CellState, failure_line, state_of
from sct.study.claims import STALE_S, claim, claim_is_alive


def test_a_claim_lasts_as_long_as_its_block(tmp_path: Path) -> None:
    with claim(tmp_path) as ours:
        assert ours
        assert claim_is_alive(tmp_path)
        with claim(tmp_path) as again:
            assert not again
        assert claim_is_alive(tmp_path)
    assert not claim_is_alive(tmp_path)
    assert not (tmp_path / "claim.json").exists()


def test_an_error_in_the_block_frees_the_claim(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), claim(tmp_path):
        raise ZeroDivisionError
    assert not claim_is_alive(tmp_path)


def test_the_claim_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    code = "import sys, time; from pathlib import Path; from sct.study.claims import claim\n"
    code += "with claim(Path(sys.argv[1])) as ours:\n    print(ours, flush=True); time.sleep(600)"
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "True"
    with claim(tmp_path) as ours:
        assert not ours
    process.send_signal(signal.SIGKILL)
    process.wait()
    with claim(tmp_path) as ours:
        assert ours


def test_a_claim_of_another_host_is_stale_without_a_heartbeat(tmp_path: Path) -> None:
    path = tmp_path / "claim.json"
    path.write_text(json.dumps({"host": "elsewhere", "pid": 1, "token": "x"}))
    assert claim_is_alive(tmp_path)
    old = time.time() - STALE_S - 10
    os.utime(path, (old, old))
    assert not claim_is_alive(tmp_path)
    with claim(tmp_path) as ours:
        assert ours


def test_a_requeued_job_takes_over_its_claim_on_another_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = {"host": "elsewhere", "pid": 1, "token": "x", "job": "77_3", "restarts": 0}
    (tmp_path / "claim.json").write_text(json.dumps(owner))
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "77")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    assert claim_is_alive(tmp_path)  # of a job on several nodes, another one may hold it
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    with claim(tmp_path) as ours:
        assert ours
        assert json.loads((tmp_path / "claim.json").read_text())["restarts"] == 1
    (tmp_path / "claim.json").write_text(json.dumps(owner | {"job": "77_4"}))
    assert claim_is_alive(tmp_path)


def test_a_claim_with_our_number_that_is_not_ours_is_stale(tmp_path: Path) -> None:
    owner = {"host": socket.gethostname(), "pid": os.getpid(), "token": "of a former life"}
    (tmp_path / "claim.json").write_text(json.dumps(owner))
    with claim(tmp_path) as ours:
        assert ours


def test_an_owner_whose_claim_was_taken_over_is_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sct.study.claims.HEARTBEAT_S", 0.01)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run as a background job
    try:
        with pytest.raises(KeyboardInterrupt), claim(tmp_path):
            (tmp_path / "claim.json").write_text(json.dumps({"host": "elsewhere", "pid": 1, "token": "another"}))
            threading.Event().wait(30)
    finally:
        signal.signal(signal.SIGINT, before)
    assert json.loads((tmp_path / "claim.json").read_text())["token"] == "another"


def test_a_background_job_whose_claim_was_taken_over_is_ended(tmp_path: Path) -> None:
    script = (
        "import json, pathlib, signal, sys, threading\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from sct.study import claims\n"
        "claims.HEARTBEAT_S = 0.01\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "with claims.claim(folder):\n"
        "    (folder / 'claim.json').write_text(json.dumps({'host': 'elsewhere', 'pid': 1, 'token': 'another'}))\n"
        "    threading.Event().wait(30)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False).returncode == -signal.SIGTERM


def _race(folder: str, barrier: "multiprocessing.synchronize.Barrier", queue: "multiprocessing.Queue[bool]") -> None:
    barrier.wait()
    with claim(Path(folder)) as ours:
        queue.put(ours)
        barrier.wait()  # nobody lets go before everybody has tried


def test_of_several_takers_of_a_dead_claim_one_wins(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    (tmp_path / "claim.json").write_text(json.dumps({"host": "elsewhere", "pid": 1, "token": "x"}))
    os.utime(tmp_path / "claim.json", (1, 1))
    barrier, queue = context.Barrier(4), context.Queue()
    processes = [context.Process(target=_race, args=(str(tmp_path), barrier, queue)) for _ in range(4)]
    for process in processes:
        process.start()
    won = [queue.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert sorted(won) == [False, False, False, True]


def test_states_of_a_run_folder(tmp_path: Path) -> None:
    folder = Cell("phantom", "main", "light_unet", "mix-4.4", 3, 1).folder(tmp_path)
    assert folder == tmp_path / "phantom/main/light_unet/mix-4.4/seed-3/fold-1"
    assert state_of(folder) is CellState.MISSING
    folder.mkdir(parents=True)
    (folder / "error.txt").write_text("Traceback\nValueError: no luck\n")
    assert state_of(folder) is CellState.FAILED
    assert failure_line(folder) == "ValueError: no luck"
    with claim(folder):
        assert state_of(folder) is CellState.RUNNING
    (folder / "metrics.json").write_text("{}")
    assert state_of(folder) is CellState.DONE

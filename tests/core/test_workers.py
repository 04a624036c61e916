"""Work shared by processes gives what one process gives, names who was at work when one died, and leaves nobody."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sct.core.workers import WorkerDiedError, each_done


def square(value):
    return value * value, os.getpid(), os.environ.get("OMP_NUM_THREADS")


def killed_at_3(value):
    if value == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return value


def refuse(value):
    raise ValueError(f"no {value}")


@pytest.mark.parametrize("n_processes", [1, 2])
def test_every_piece_is_done_once(n_processes, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    found = dict(each_done(square, [(value,) for value in range(5)], n_processes))
    assert {number: result[0] for number, result in found.items()} == {0: 0, 1: 1, 2: 4, 3: 9, 4: 16}
    assert {result[2] for result in found.values()} == {"7" if n_processes == 1 else "1"}
    assert (os.getpid() in {result[1] for result in found.values()}) == (n_processes == 1)
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_who_was_at_work_when_a_process_died_is_told():
    with pytest.raises(WorkerDiedError) as caught:
        list(each_done(killed_at_3, [(0,), (3,), (1,)], 2))
    assert 1 in caught.value.at_work
    assert len(caught.value.at_work) <= 2


@pytest.mark.parametrize("n_processes", [1, 2])
def test_an_error_of_the_work_comes_through(n_processes):
    with pytest.raises(ValueError, match="no 5"):
        list(each_done(refuse, [(5,), (5,)], n_processes))


def wait_for_ever(folder):
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(1000)


def test_workers_end_with_their_parent(tmp_path):
    code = (
        "import sys; from sct.core.workers import each_done\nif __name__ == '__main__':\n"
        f"    sys.path.insert(0, {str(Path(__file__).parent)!r}); from test_workers import wait_for_ever\n"
        f"    list(each_done(wait_for_ever, [({str(tmp_path)!r},)] * 2, 2))"
    )
    script = tmp_path / "parent.py"
    script.write_text(code)
    parent = subprocess.Popen([sys.executable, script])
    deadline = time.monotonic() + 120
    while len(list(tmp_path.glob("[0-9]*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    pids = [int(path.name) for path in tmp_path.glob("[0-9]*")]
    assert len(pids) == 2
    parent.kill()
    parent.wait()
    while any(map(lives, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(lives, pids))


def lives(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False

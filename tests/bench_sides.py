"""Sides that the harness calls in child processes; imports nothing heavy."""

import multiprocessing
import os
import signal
import time
from pathlib import Path


def constant(value):
    return {"value": value, "kept": "yes"}


def failing():
    raise ValueError("a reason in one line")


def sleeping():
    time.sleep(60)


def counting(path):
    with Path(path).open("a") as file:
        file.write("x")
    calls = Path(path).stat().st_size
    return {"value": calls, "call": calls}


def crashing():
    os.kill(os.getpid(), signal.SIGKILL)


def surroundings(variable):
    """What a process of its own would find: its environment, and how it would start others."""
    print("what a side prints is nobody's")
    start = multiprocessing.get_start_method()
    return {"value": 1, "variable": os.environ.get(variable), "threads": os.environ["OMP_NUM_THREADS"], "start": start}


def allocating(mib):
    return len(bytearray(mib * 2**20).replace(b"\0", b"\1"))


def writing_its_number(path):
    Path(f"{path}.part").write_text(str(os.getpid()))
    Path(f"{path}.part").rename(path)
    time.sleep(60)

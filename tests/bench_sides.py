"""Sides that the harness calls in child processes; imports nothing heavy."""

import os
import time
from pathlib import Path


def constant(value):
    return {"value": value, "kept": "yes"}


def failing():
    raise ValueError("a reason in one line")


def sleeping():
    time.sleep(60)


def allocating(mib):
    return len(bytearray(mib * 2**20).replace(b"\0", b"\1"))


def writing_its_number(path):
    Path(f"{path}.part").write_text(str(os.getpid()))
    Path(f"{path}.part").rename(path)
    time.sleep(60)

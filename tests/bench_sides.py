"""Sides that the harness calls in child processes; imports nothing heavy."""

import time


def constant(value):
    return {"value": value, "kept": "yes"}


def failing():
    raise ValueError("a reason in one line")


def sleeping():
    time.sleep(60)


def allocating(mib):
    return len(bytearray(mib * 2**20).replace(b"\0", b"\1"))

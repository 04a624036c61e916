"""What the harness runs in a child process: one side of a comparison."""

import importlib
import multiprocessing
import os
import sys
import traceback
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.memory import own_peak_gib

__all__ = ["answer", "threads"]

_ERROR_CHARACTERS = 300


def threads() -> int:
    """Threads that this process may use."""
    return int(os.environ.get("SCT_BENCH_THREADS", "2"))


def answer(sender: Connection, function: str, arguments: Mapping[str, Any], n_threads: int) -> None:
    """Call `module:function` and send what it returns with the peak memory, or `failure`, why it failed."""
    os.setsid()  # so that it can be ended with all that it started
    multiprocessing.set_start_method(None, force=True)  # not the harness's, but what a script of its own has
    null = os.open(os.devnull, os.O_WRONLY)
    for output in (1, 2):
        os.dup2(null, output)
    os.environ |= {"OMP_NUM_THREADS": str(n_threads), "SCT_BENCH_THREADS": str(n_threads)}
    try:
        module, _, name = function.partition(":")
        found = getattr(importlib.import_module(module), name)(**arguments)
        result = found if isinstance(found, dict) else {"value": found}
        if "torch" in sys.modules:
            import torch

            if torch.cuda.is_initialized():
                result["gpu_peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
        sender.send({**result, "peak_gib": own_peak_gib()})
    except BaseException as error:
        reason = " ".join(traceback.format_exception_only(error)[-1].split())
        sender.send({"failure": reason[:_ERROR_CHARACTERS]})

"""The child process of the harness: `python -m benchmarks.child MODULE:FUNCTION JSON-ARGUMENTS`."""

import importlib
import json
import os
import sys

from benchmarks.harness import MARK
from benchmarks.memory import own_peak_gib

__all__ = ["main", "threads"]


def threads() -> int:
    """Threads that this process may use."""
    return int(os.environ.get("SCT_BENCH_THREADS", "2"))


def main() -> None:
    """Call the function and print its result with the peak memory."""
    module, _, name = sys.argv[1].partition(":")
    found = getattr(importlib.import_module(module), name)(**json.loads(sys.argv[2]))
    result = found if isinstance(found, dict) else {"value": found}
    if "torch" in sys.modules:
        import torch

        if torch.cuda.is_initialized():
            result["gpu_peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
    print(MARK + json.dumps({**result, "peak_gib": own_peak_gib()}), flush=True)


if __name__ == "__main__":
    main()

"""What kind of machine measured: nothing that names a person, a host or a folder."""

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["describe", "kind"]

_PACKAGES = ("torch", "pytorch-lightning", "torchmetrics", "monai", "scikit-image", "numpy", "scipy", "hydra-core")


def describe(device: str = "cpu") -> dict[str, Any]:
    """Processor, cores, memory, accelerator and versions."""
    import torch

    found: dict[str, Any] = {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "capability": torch.backends.cpu.get_cpu_capability() + (" with AMX" if _has_amx() else ""),
        "system": platform.system(),
        "python": platform.python_version(),
    }
    if device == "cuda":
        found["gpu"] = torch.cuda.get_device_name()
        found["gpu_memory_gib"] = round(torch.cuda.get_device_properties(0).total_memory / 2**30, 1)
        found["cuda"] = torch.version.cuda
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def kind(machine: dict[str, Any]) -> str:
    """A short name for files: the accelerator, or the cores and the processor."""
    text = machine.get("gpu") or f"{machine['cores']}-cores-{machine['processor']}"
    words = re.sub(r"\((r|tm)\)|\bcpu\b|\bprocessor\b|@.*", " ", text.lower())
    return re.sub(r"[^a-z0-9]+", "-", words).strip("-")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _has_amx() -> bool:
    import torch

    return bool(getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)())

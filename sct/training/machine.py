"""Rules that choose what a machine gains from, and settings that make a run repeatable on it."""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["choose_compile", "choose_precision", "prepared_machine"]

_COMPILE_PAYS_AFTER_STEPS = 3000
"""Compiling takes about a minute; a step must win it back in tens of milliseconds at most."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


def choose_precision(wanted: str, device: torch.device) -> str:
    """The trainer's precision: `auto` becomes bf16-mixed where bf16 is computed in hardware, else 32-true.

    In hardware: CPUs with AVX512-BF16 or AMX, GPUs of compute capability 8.0 or more. Emulated bf16 would only be
    slower. Final convolution, sigmoid, loss and sums are in float32 in any case.

    Args:
        wanted: `auto`, or one of Lightning's precisions, which is passed on.
        device: The training device.
    """
    if wanted != "auto":
        return wanted
    gains = False
    if device.type == "cuda":
        gains = torch.cuda.get_device_capability(device)[0] >= 8
    elif device.type == "cpu":
        probes = (getattr(torch.cpu, f"_is_{name}_supported", None) for name in ("avx512_bf16", "amx_tile"))
        gains = any(probe() for probe in probes if probe is not None)
    return "bf16-mixed" if gains else "32-true"


def choose_compile(wanted: bool | str, device: torch.device, n_steps: int) -> bool:
    """Whether to compile the network: `auto` does on a GPU when that many training steps are expected to repay it.

    Args:
        wanted: True, False or `auto`.
        device: The training device.
        n_steps: Expected training steps of this process.
    """
    if wanted != "auto":
        return bool(wanted)
    return device.type == "cuda" and n_steps >= _COMPILE_PAYS_AFTER_STEPS


@contextmanager
def prepared_machine() -> Iterator[None]:
    """Make runs repeatable on this machine and fast where that costs nothing; the settings are put back at the end.

    cuDNN takes deterministic algorithms and does not time them against each other (the winner may change from run to
    run). Float32 products on a GPU may use TF32 in convolutions, as is PyTorch's default. On CPUs denormal numbers
    become 0: they are hundreds of times slower and mean nothing here. What breaks repeatability: another number of
    threads or processes, another device or library version, `torch.backends.cudnn.benchmark = True`.

    With glibc, freed memory is kept for the next step instead of being handed back to the kernel and cleared anew: a
    tenth of a training step on a CPU. This alone stays: the library does not say what was set before.
    """
    cudnn = torch.backends.cudnn
    before = cudnn.benchmark, cudnn.deterministic
    keeps_denormal = float(torch.full((), 1e-40) * 1) != 0
    cudnn.benchmark, cudnn.deterministic = False, True
    torch.set_flush_denormal(True)
    _keep_freed_memory()
    try:
        yield
    finally:
        cudnn.benchmark, cudnn.deterministic = before
        torch.set_flush_denormal(not keeps_denormal)


def _keep_freed_memory() -> None:
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, 2**30)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)

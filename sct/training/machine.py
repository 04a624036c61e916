"""Rules that choose what a machine gains from, and settings that make a run repeatable on it."""

import ctypes
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from sct.core.errors import SctError

__all__ = ["choose_compile", "choose_precision", "compile_fault", "compiled_training", "prepared_machine"]

_EXPECTED_EPOCHS = 30
"""Epochs that a training is expected to last: patience ends it long before `max_epochs`. An assumption, on the long
side, since compiling for nothing costs less than a minute."""

_COMPILE_PAYS_AFTER_STEPS = 10_000
"""Some 40 s of compiling, over the 4 ms that a step of Light U-Net at batch 128 may win on a current data-centre GPU.

An estimate: the step's floor is 4 ms there, a third of that speed 12 ms, of which compiling may win a third. On a GPU,
`benchmarks/gpu.py levers` measures it."""

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


def choose_compile(wanted: bool | str, device: torch.device, steps_per_epoch: int, max_epochs: int) -> bool:
    """Whether to compile: `auto` does on a GPU when so many training steps are expected that they repay it.

    Args:
        wanted: True, False or `auto`, which does without where torch cannot compile.
        device: The training device.
        steps_per_epoch: Training batches of an epoch.
        max_epochs: Epochs at most.

    Raises:
        SctError: It is wanted, and torch cannot compile here.
    """
    steps = steps_per_epoch * min(max_epochs, _EXPECTED_EPOCHS)
    repays = device.type == "cuda" and steps >= _COMPILE_PAYS_AFTER_STEPS
    if not (repays if wanted == "auto" else wanted):
        return False
    fault = compile_fault(device)
    if fault and wanted != "auto":
        raise SctError(f"trainer.compile={wanted}: torch cannot compile here ({fault}); false trains without")
    if fault:
        print(f"training without compiling, which torch cannot do here: {fault}", file=sys.stderr)
    return not fault


def compile_fault(device: torch.device) -> str:
    """Why torch cannot compile for a kind of device on this machine, say for want of a C++ compiler; tried on a trifle.

    Returns:
        One line; empty when it can.
    """
    try:
        torch.compile(lambda x: x.sin() + 1)(torch.zeros(8, device=device.type))
    except Exception as error:  # dynamo's, those of its back ends, and files that cannot be written
        return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return ""


@contextmanager
def compiled_training(network: nn.Module, backend: str = "inductor", mode: str | None = None) -> Iterator[None]:
    """Within, training steps of whole batches run compiled; everything else runs as it is, so one graph is compiled.

    Another size of a batch, evaluation mode and inference mode would each be compiled anew, some 40 s for a hundredth
    of the slices. Afterwards the network is what it was.

    Args:
        network: Its `forward` takes one batch; the first batch in training mode counts as a whole one.
        backend: Of `torch.compile`.
        mode: Of `torch.compile`; `reduce-overhead` takes CUDA graphs.
    """
    eager = network.forward
    compiled = torch.compile(eager, dynamic=False, backend=backend, mode=mode)
    whole: torch.Size | None = None

    def forward(images: Tensor) -> Tensor:
        nonlocal whole
        if not (network.training and torch.is_grad_enabled()):
            return eager(images)  # type: ignore[no-any-return]
        whole = whole or images.shape
        return (compiled if images.shape == whole else eager)(images)  # type: ignore[no-any-return]

    network.forward = forward
    try:
        yield
    finally:
        del network.forward


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

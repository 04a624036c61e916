"""Operations and bytes that a slice needs at least, the machine's two ceilings, and how near we come.

    python -m benchmarks.limits        writes benchmarks/limits.md

Fusion model: a convolution, transposed or not, with the batch norm and ReLU that follow is one unit; so is a pooling.
Each unit reads its input once and writes its output once in the forward pass, and twice each in the backward pass.
Concatenation is free. Weights are read and written once per batch; see `parameter_bytes`. Operations are those of the
convolutions, a multiplication and an addition each; backward twice the forward's, but for the first convolution, whose
input needs no gradient.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode, resolve_name

from benchmarks import networks
from benchmarks.harness import Plan, Ratio, Side, Stage

__all__ = ["Ceilings", "Needs", "Unit", "floor_s", "limits_page", "measure_ceilings", "needs_of", "stages", "units_of"]

SIZE_PX = 224
_ITEM_BYTES = {torch.float32: 4, torch.bfloat16: 2}
_ADAM_BYTES = 28
"""Per parameter and step: read weight, gradient and two moments, write weight and moments, float32."""


@dataclass(frozen=True)
class Unit:
    """One unit of a network for one slice.

    Attributes:
        kind: `conv`, `up` (transposed) or `pool`.
        operations: Of the forward pass.
        values_in: Values read in the forward pass.
        values_out: Values written.
    """

    kind: str
    operations: int
    values_in: int
    values_out: int


class _Units(TorchFunctionMode):
    """Writes down what convolutions and poolings read and write."""

    def __init__(self) -> None:
        super().__init__()
        self.units: list[Unit] = []

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = function(*args, **kwargs)
        name = (resolve_name(function) or "").rpartition(".")[2]
        if name in ("conv2d", "conv_transpose2d"):
            x, weight = args[0], args[1]
            # each weight meets each pixel of the coarse side: the output's, or the input's of a transposed one
            pixels = prod((x if name == "conv_transpose2d" else out).shape[2:])
            kind = "conv" if name == "conv2d" else "up"
            self.units.append(Unit(kind, 2 * weight.numel() * pixels, x.numel(), out.numel()))
        elif name in ("max_pool2d", "_max_pool2d"):
            self.units.append(Unit("pool", 0, args[0].numel(), out.numel()))
        return out


def units_of(network: nn.Module, size_px: int = SIZE_PX) -> list[Unit]:
    """The units of a network for one slice, in order; shapes only, nothing is computed."""
    with torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True), _Units() as found:
        network.eval()(torch.empty(1, 1, size_px, size_px))
    return found.units


@dataclass(frozen=True)
class Needs:
    """What a slice needs.

    Attributes:
        operations: Of the convolutions.
        values: Read or written by the units.
        parameters: Of the network.
        training: Forward and backward, or forward only.
    """

    operations: int
    values: int
    parameters: int
    training: bool

    def bytes(self, dtype: torch.dtype, batch: int) -> float:
        """Bytes per slice, with the share of the weights' traffic."""
        return self.values * _ITEM_BYTES[dtype] + self.parameter_bytes(dtype) / batch

    def parameter_bytes(self, dtype: torch.dtype) -> int:
        """Per step: weights read forward, and in training read and their gradient written backward, then Adam's."""
        item = _ITEM_BYTES[dtype]
        return self.parameters * (3 * item + _ADAM_BYTES if self.training else item)


def needs_of(network: nn.Module, training: bool, size_px: int = SIZE_PX) -> Needs:
    """What one slice needs of a network."""
    units = units_of(network, size_px)
    operations = sum(unit.operations for unit in units) * (3 if training else 1)
    if training:
        operations -= units[0].operations
    values = sum(unit.values_in + unit.values_out for unit in units) * (3 if training else 1)
    return Needs(operations, values, sum(p.numel() for p in network.parameters()), training)


@dataclass(frozen=True)
class Ceilings:
    """What the machine does at best: operations and bytes (read plus written) per second, in one precision."""

    operations_per_s: float
    bytes_per_s: float


def measure_ceilings(device: str, dtype: torch.dtype, tiny: bool = False) -> Ceilings:
    """A large matrix product and a large copy, best of several."""
    n, n_bytes = (256, 2**22) if tiny else (8192, 2**32) if device == "cuda" else (3072, 2**28)
    a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
    source = torch.ones(n_bytes // 4, dtype=torch.float32, device=device)
    target = torch.empty_like(source)
    product = _best_s(lambda: a @ b, device)
    copy = _best_s(lambda: target.copy_(source), device)
    return Ceilings(2 * n**3 / product, 2 * n_bytes / copy)


def floor_s(needs: Needs, ceilings: Ceilings, dtype: torch.dtype, batch: int) -> float:
    """Least seconds per slice: operations and bytes overlap fully, the slower of the two decides."""
    return max(needs.operations / ceilings.operations_per_s, needs.bytes(dtype, batch) / ceilings.bytes_per_s)


def stages(plan: Plan) -> list[Stage]:
    """Measured slices/s as a share of the floor's, for each network, training and inference."""
    sides = {}
    for name, title in networks.NETWORKS.items():
        for mode in ("training", "inference"):
            is_heavy = name == "vgg_unet" and plan.device == "cpu"
            arguments = {
                "network": name,
                "training": mode == "training",
                "device": plan.device,
                "batch": 2 if plan.tiny else 128 if plan.device == "cuda" else 4 if is_heavy else 16,
                "steps": 1 if plan.tiny else 20 if plan.device == "cuda" else 2 if is_heavy else 5,
                "size_px": 32 if plan.tiny else SIZE_PX,
                "tiny": plan.tiny,
            }
            sides[f"{title}, {mode}"] = Side("benchmarks.limits:share_of_floor", arguments)
    # VGG U-Net is bound by arithmetic: its floor is the ceiling of operations
    targets = {"Light U-Net, training": 0.3, "VGG U-Net, training": 0.5} if plan.device == "cuda" else {}
    ratios = [Ratio(name, None, targets.get(name)) for name in sides]
    rounds = None if plan.full or plan.device == "cuda" else 2
    return [Stage("Share of the floor", "of floor", sides, ratios, 600 if plan.full else 150, rounds=rounds)]


def share_of_floor(
    network: str, training: bool, device: str, batch: int, steps: int, size_px: int, tiny: bool
) -> dict[str, Any]:
    """Body of a child: the ceilings, then the slices/s, then the share."""
    from benchmarks.child import threads
    from sct.training.machine import choose_precision

    torch.set_num_threads(threads())
    is_bf16 = choose_precision("auto", torch.device(device)).startswith("bf16")
    dtype = torch.bfloat16 if is_bf16 else torch.float32
    ceilings = measure_ceilings(device, dtype, tiny)
    needs = needs_of(networks.make(network), training, size_px)
    floor = floor_s(needs, ceilings, dtype, batch)
    if training:
        from benchmarks.training import ours

        speed = ours(size_px, batch, steps, device, network=network)["value"]
    else:
        speed = _inference_slices_per_s(network, device, batch, steps, size_px)
    return {
        "value": speed * floor,
        "slices_per_s": speed,
        "floor_slices_per_s": 1 / floor,
        "share_of_operations_ceiling": speed * needs.operations / ceilings.operations_per_s,
        "ceiling_tflops": ceilings.operations_per_s / 1e12,
        "ceiling_gb_per_s": ceilings.bytes_per_s / 1e9,
        "precision": "bf16" if is_bf16 else "fp32",
    }


def _inference_slices_per_s(network: str, device: str, batch: int, steps: int, size_px: int) -> float:
    from sct.synthesis.volume_inference import BatchPredictor

    predictor = BatchPredictor(networks.make(network), torch.device(device))
    images = torch.rand(batch, 1, size_px, size_px, device=device)
    return batch / _best_s(lambda: predictor(images), device, steps)


def _best_s(action: Any, device: str, repeats: int = 5) -> float:
    action()
    times = []
    for _ in range(repeats):
        if device == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        action()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times)


def limits_page(needs: Mapping[str, Mapping[str, Needs]], batch: int = 128) -> str:
    """The derived numbers as Markdown."""
    lines = [
        "| network | | operations per slice, 10^9 | values per slice, 10^6 | MB in bf16 | MB in fp32 | operations "
        "per byte, bf16 |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for title, modes in needs.items():
        for mode, need in modes.items():
            half, full = (need.bytes(dtype, batch) / 1e6 for dtype in (torch.bfloat16, torch.float32))
            lines.append(
                f"| {title} | {mode} | {need.operations / 1e9:.2f} | {need.values / 1e6:.2f} | {half:.1f} | {full:.1f} "
                f"| {need.operations / half / 1e6:.0f} |"
            )
    return "\n".join(lines) + "\n"


def all_needs() -> dict[str, dict[str, Needs]]:
    """Of both networks, training and inference."""
    return {
        title: {mode: needs_of(networks.make(name), mode == "training") for mode in ("training", "inference")}
        for name, title in networks.NETWORKS.items()
    }


def main() -> None:
    """Rewrite the table between the marks of limits.md."""
    path = Path(__file__).with_name("limits.md")
    begin, end = "<!-- table -->\n", "<!-- end -->"
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition(begin)
    after = rest.partition(end)[2]
    path.write_text(f"{before}{begin}{limits_page(all_needs())}{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()

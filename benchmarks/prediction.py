"""`sct.predict` against a MONAI loop over slices, and the limits of a whole 1 mm head.

The same MR of 190 x 230 x 190 voxels, three planes, the same network. Ours from file to file, with uncertainty,
preview, record and viewer; of the loop only its pass over the slices counts, without reading, resampling and writing,
so that the quick run may take every eighth slice.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import heads
from benchmarks.child import threads
from benchmarks.harness import Plan, Ratio, Side, Stage

__all__ = ["stages"]

LIMIT_S, LIMIT_GIB, LIMIT_GPU_S = 60.0, 4.0, 2.0


def stages(plan: Plan) -> list[Stage]:
    """Slices/s against the loop, and seconds from file to file."""
    common = {"scratch": str(plan.scratch), "device": plan.device}
    every = 1 if plan.full or plan.device == "cuda" else 8
    sides = {
        "ours": Side("benchmarks.prediction:ours", common),
        "MONAI loop": Side("benchmarks.prediction:peer", common | {"batch": 1, "every": every}),
        "MONAI loop in batches of 16": Side("benchmarks.prediction:peer", common | {"batch": 16, "every": every}),
    }
    setup = heads.setup(plan)
    box = 600 if plan.full else 180
    against = Stage(
        "Prediction of a 1 mm head, three planes",
        "slices/s",
        sides,
        [Ratio("ours", "MONAI loop", 3.0), Ratio("ours", "MONAI loop in batches of 16")],
        box,
        setup,
    )
    size = common | {"n_slices": 8 if plan.tiny else 128}
    alone = Stage(
        "The network alone in prediction",
        "slices/s",
        {
            "ours": Side("benchmarks.prediction:network", size),
            "SliceInferer": Side("benchmarks.prediction:peer_network", size),
        },
        [Ratio("ours", "SliceInferer")],
        box,
        setup,
    )
    door = Stage(
        "Prediction of a 1 mm head, file to file",
        "s",
        {"sct.predict": Side("benchmarks.prediction:door", common)},
        [Ratio("sct.predict", LIMIT_S, 1.0), Ratio("sct.predict", LIMIT_GIB, 1.0, of="peak")],
        box / 2,
        setup,
    )
    warm = Stage(
        "Prediction of a 1 mm head in memory, warm",
        "s",
        {"synthesize": Side("benchmarks.prediction:warm", common)},
        [Ratio("synthesize", LIMIT_GPU_S, 1.0)],
        box / 2,
        setup,
    )
    return [against, alone, door, *([warm] if plan.device == "cuda" else [])]


def ours(scratch: str, device: str) -> dict[str, Any]:
    """As the door does it, without the start of Python."""
    import torch

    from sct.synthesis.outputs import Request, predict_file
    from sct.synthesis.plane_predictions import Options

    torch.set_num_threads(threads())
    with tempfile.TemporaryDirectory() as folder:
        request = Request(heads.head_in(scratch, "mr"), Path(folder) / "sct.nii.gz", [heads.checkpoint_in(scratch)])
        start = time.perf_counter()
        synthesis, _ = predict_file(request, Options(device=device))
        seconds = time.perf_counter() - start
    n_slices = sum(int(masks.any((1, 2)).sum()) for masks in synthesis.mask.slices.values())
    steps = {f"{name}_s": value for name, value in synthesis.timings.seconds.items()}
    return {"value": n_slices / seconds, "slices": n_slices, "seconds": seconds, **steps}


def warm(scratch: str, device: str) -> dict[str, Any]:
    """Seconds of a second head in the same process, from MR to HU in memory."""
    import torch

    from sct.io.volumes import read_volume
    from sct.synthesis.ensemble import load_ensemble
    from sct.synthesis.plane_predictions import Options, Timings
    from sct.synthesis.synthesize import synthesize

    torch.set_num_threads(threads())
    mr, ensemble = read_volume(heads.head_in(scratch, "mr")), load_ensemble([heads.checkpoint_in(scratch)])
    synthesize(mr, ensemble, Options(device=device))
    timings = Timings()
    start = time.perf_counter()
    synthesize(mr, ensemble, Options(device=device), timings=timings)
    steps = {f"{name}_s": value for name, value in timings.seconds.items()}
    return {"value": time.perf_counter() - start, **steps}


def peer(scratch: str, device: str, batch: int, every: int) -> dict[str, Any]:
    """The loop."""
    import torch

    from benchmarks.peers.monai_prediction import predict
    from sct.training.checkpoint import load_network

    torch.set_num_threads(threads())
    loaded = load_network(heads.checkpoint_in(scratch))
    prepare = loaded.hyper_parameters["prepare"]
    with tempfile.TemporaryDirectory() as folder:
        n_slices, seconds = predict(
            heads.head_in(scratch, "mr"),
            Path(folder) / "sct.nii.gz",
            loaded.network,
            float(prepare["spacing_mm"]),
            int(prepare["size_px"]),
            device,
            batch,
            every,
        )
    return {"value": n_slices / seconds, "slices": n_slices, "seconds": seconds}


def network(scratch: str, device: str, n_slices: int) -> float:
    """The network on slices in memory, in batches as `sct.predict` runs it."""
    import numpy as np
    import torch

    from sct.synthesis.volume_inference import BatchPredictor
    from sct.training.checkpoint import load_network

    torch.set_num_threads(threads())
    loaded = load_network(heads.checkpoint_in(scratch))
    size_px = int(loaded.hyper_parameters["prepare"]["size_px"])
    images = np.random.default_rng(0).integers(0, 256, (n_slices, size_px, size_px), dtype=np.uint8)
    predictor = BatchPredictor(loaded.network, torch.device(device))
    predictor.stack(images[:32])
    start = time.perf_counter()
    predictor.stack(images)
    return n_slices / (time.perf_counter() - start)


def peer_network(scratch: str, device: str, n_slices: int) -> float:
    """The same by MONAI's `SliceInferer`, one slice at a time in float32."""
    import torch
    from monai.inferers import SliceInferer

    from sct.training.checkpoint import load_network

    torch.set_num_threads(threads())
    loaded = load_network(heads.checkpoint_in(scratch))
    size_px = int(loaded.hyper_parameters["prepare"]["size_px"])
    inferer = SliceInferer(roi_size=(size_px, size_px), sw_batch_size=1, spatial_dim=0)
    model = loaded.network.to(device)
    volume = torch.rand(1, 1, n_slices, size_px, size_px, device=device)
    with torch.inference_mode():
        inferer(volume[:, :, :8], model)
        start = time.perf_counter()
        inferer(volume, model).cpu()
    return n_slices / (time.perf_counter() - start)


def door(scratch: str, device: str) -> float:
    """Seconds of the command."""
    with tempfile.TemporaryDirectory() as folder:
        words = [str(heads.head_in(scratch, "mr")), f"{folder}/sct.nii.gz"]
        words += ["--checkpoint", str(heads.checkpoint_in(scratch)), "--device", device]
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "sct.predict", *words], check=True, capture_output=True)
        return time.perf_counter() - start

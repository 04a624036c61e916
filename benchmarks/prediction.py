"""Prediction of a whole 1 mm head against plain MONAI (`peers/monai_prediction.py`), and its limits.

An MR of 190 x 230 x 190 voxels, three planes, the same network. Two comparisons, each of one thing with the same thing:
the pass over the slices, from the gray volume and the slice masks in memory to three gray volumes in memory, after a
warm-up on both sides; and the whole command from file to file, the start of Python included, where ours also finds the
head, and writes uncertainty, preview, record and viewer. In the quick run on a CPU the peer passes over every eighth
slice, and further peers are left to the full run.
"""

import json
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
    """Slices/s, and seconds from file to file."""
    common = {"scratch": str(plan.scratch), "device": plan.device}
    every = 1 if plan.full or plan.device == "cuda" else 8
    setup = heads.setup(plan)
    box = 600 if plan.full else 120 if plan.device == "cuda" else 180
    loops = {"MONAI loop": Side("benchmarks.prediction:peer", common | {"batch": 1, "every": every})}
    doors = {"sct.predict": Side("benchmarks.prediction:door", common)}
    limits = [Ratio("sct.predict", LIMIT_S, 1.0), Ratio("sct.predict", LIMIT_GIB, 1.0, of="peak")]
    if plan.full or plan.device == "cuda":
        sixteen = common | {"batch": 16, "every": every}
        loops["MONAI loop in batches of 16"] = Side("benchmarks.prediction:peer", sixteen)
        doors["MONAI script"] = Side("benchmarks.prediction:script", common)
        limits.append(Ratio("sct.predict", "MONAI script"))
    slices = Stage(
        "Prediction of a 1 mm head, the pass over the slices of three planes",
        "slices/s",
        {"ours": Side("benchmarks.prediction:ours", common), **loops},
        [Ratio("ours", name, 3.0 if name == "MONAI loop" else None) for name in loops],
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
    files = Stage("Prediction of a 1 mm head, file to file", "s", doors, limits, box, setup)
    warm = Stage(
        "Prediction of a 1 mm head in memory, warm",
        "s",
        {"synthesize": Side("benchmarks.prediction:warm", common)},
        [Ratio("synthesize", LIMIT_GPU_S, 1.0)],
        box / 2,
        setup,
    )
    if plan.device == "cuda":
        return [slices, alone, files, warm]
    return [slices, alone, files] if plan.full else [slices, files]


def ours(scratch: str, device: str) -> dict[str, Any]:
    """As `sct.predict` does it; its volumes are in HU already."""
    from sct.slices.planes import PLANES
    from sct.synthesis.ensemble import ensemble_of
    from sct.synthesis.plane_predictions import Options, Timings, predict_planes

    isotropic, head, network = _head(scratch)
    ensemble = ensemble_of([network], isotropic.settings)
    predict_planes(isotropic, head, ensemble, Options(planes=PLANES[-1:], device=device))
    timings = Timings()
    start = time.perf_counter()
    predict_planes(isotropic, head, ensemble, Options(device=device), timings)
    seconds = time.perf_counter() - start
    n_slices = sum(int(masks.any((1, 2)).sum()) for masks in head.slices.values())
    steps = {f"{name}_s": value for name, value in timings.seconds.items()}
    return {"value": n_slices / seconds, "slices": n_slices, "seconds": seconds, **steps}


def peer(scratch: str, device: str, batch: int, every: int) -> dict[str, Any]:
    """The loop; slices of an axis at a time, in the order of ours."""
    import torch

    from benchmarks.peers.monai_prediction import predict_planes
    from sct.slices.planes import restore

    isotropic, head, network = _head(scratch)
    masks = [torch.from_numpy(restore(head.slices[plane], plane).copy()) for plane in ("sagittal", "coronal", "axial")]
    volume, network, size_px = torch.from_numpy(isotropic.gray("axial")), network.to(device), isotropic.settings.size_px
    predict_planes(volume, masks, network, size_px, device, batch, 8 * every)
    start = time.perf_counter()
    _, n_slices = predict_planes(volume, masks, network, size_px, device, batch, every)
    seconds = time.perf_counter() - start
    return {"value": n_slices / seconds, "slices": n_slices, "seconds": seconds}


def _head(scratch: str) -> tuple[Any, Any, Any]:
    """What both sides begin with: the isotropic volume, the masks of its slices, and the network."""
    import torch

    from sct.io.volumes import read_volume
    from sct.preparation.settings import PrepareSettings
    from sct.slices.planes import PLANES
    from sct.synthesis.isotropic_mr import isotropic_mr
    from sct.synthesis.synthesize import head_mask
    from sct.training.checkpoint import load_network

    torch.set_num_threads(threads())
    loaded = load_network(heads.checkpoint_in(scratch))
    settings = PrepareSettings.from_plain(loaded.hyper_parameters["prepare"])
    isotropic = isotropic_mr(read_volume(heads.head_in(scratch, "mr")), settings)
    return isotropic, head_mask(isotropic, "auto", PLANES), loaded.network


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


def door(scratch: str, device: str) -> dict[str, Any]:
    """Seconds of the command, and of its steps as its record has them."""
    with tempfile.TemporaryDirectory() as folder:
        words = [str(heads.head_in(scratch, "mr")), f"{folder}/sct.nii.gz"]
        words += ["--checkpoint", str(heads.checkpoint_in(scratch)), "--device", device]
        seconds = _command("sct.predict", *words)
        record = json.loads(Path(folder, "sct.json").read_text(encoding="utf-8"))
    return {"value": seconds, **{f"{name}_s": value for name, value in record["timings_s"].items()}}


def script(scratch: str, device: str) -> float:
    """Seconds of the peer's script."""
    from sct.training.checkpoint import load_network

    checkpoint = heads.checkpoint_in(scratch)
    prepare = load_network(checkpoint).hyper_parameters["prepare"]
    with tempfile.TemporaryDirectory() as folder:
        words = [str(heads.head_in(scratch, "mr")), f"{folder}/sct.nii.gz", str(checkpoint)]
        words += ["sct.models.light_unet:LightUNet", str(prepare["spacing_mm"]), str(prepare["size_px"]), device]
        return _command("benchmarks.peers.monai_prediction", *words)


def _command(module: str, *words: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-W", "ignore", "-m", module, *words], check=True, capture_output=True)
    return time.perf_counter() - start

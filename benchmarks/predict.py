"""From an MR file to synthetic CT files against a MONAI loop in float32, slice by slice, with the same network.

    python -m benchmarks.predict [--repeats 3] [--threads 2] [--mr FILE] [--device cpu]

Slices/s, file to file, three planes, one checkpoint, process start not counted; without `--mr`, a 1 mm head of
190 x 230 x 190 voxels is made. Ours also finds the head, compares with the training and writes uncertainty, preview,
record and viewer; the loop (`peers/monai_predict.py`) writes the volume only. `network` and `monai-network` are the
network alone on 128 slices of 224 px: ours in batches as `sct.predict` runs it, theirs one slice at a time in float32.
"""

import argparse
import contextlib
import io
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.side_by_side import compare, main_of_sides

SHAPE = (190, 230, 190)
SIZE_PX = 224


def make_head(path: Path) -> None:
    """Ellipsoids with the contrast of a ZTE and noise, 1 mm."""
    import nibabel as nib

    grid = np.meshgrid(*[np.linspace(-1, 1, n, dtype=np.float32) for n in SHAPE], indexing="ij")
    r = np.sqrt(sum((axis / 0.9) ** 2 for axis in grid))
    signal = np.select([r < 0.85, r < 0.93, r < 1], [800, 400, 900], 0).astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 25, (2, *SHAPE)).astype(np.float32)
    image = np.hypot(signal + noise[0], noise[1])
    nib.save(nib.Nifti1Image(np.rint(image).astype(np.uint16), np.diag([1.0, 1, 1, 1])), path)


def make_checkpoint(path: Path) -> None:
    from sct.models.light_unet import LightUNet
    from sct.preparation.settings import PrepareSettings

    torch.manual_seed(0)
    widths = [16, 32, 64, 128, 256]
    state = {f"network.{name}": value for name, value in LightUNet(widths).state_dict().items()}
    model = {"_target_": "sct.models.light_unet.LightUNet", "widths": widths}
    hyper_parameters = {"model": model, "prepare": PrepareSettings(size_px=SIZE_PX).to_plain(), "domain": {}}
    torch.save({"state_dict": state, "hyper_parameters": hyper_parameters}, path)


def ours(mr: Path, checkpoint: Path, folder: Path, device: str) -> float:
    from sct.synthesis.outputs import Request, predict_file
    from sct.synthesis.plane_predictions import Options

    start = time.perf_counter()
    synthesis, record = predict_file(Request(mr, folder / "ours.nii.gz", [checkpoint]), Options(device=device))
    seconds = time.perf_counter() - start
    print({name: round(value, 1) for name, value in record["timings_s"].items()}, f"{seconds:.1f} s in all")
    return sum(int(masks.any((1, 2)).sum()) for masks in synthesis.mask.slices.values()) / seconds


def monai(mr: Path, checkpoint: Path, folder: Path) -> float:
    from benchmarks.peers.monai_predict import predict
    from sct.training.checkpoint import load_network

    network = load_network(checkpoint).network
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        n_slices = predict(mr, folder / "monai.nii.gz", network)
    return n_slices / (time.perf_counter() - start)


def network(checkpoint: Path, device: str, n_slices: int = 128) -> float:
    from sct.synthesis.volume_inference import BatchPredictor, choose_device
    from sct.training.checkpoint import load_network

    images = np.random.default_rng(0).integers(0, 256, (n_slices, SIZE_PX, SIZE_PX), dtype=np.uint8)
    predictor = BatchPredictor(load_network(checkpoint).network, choose_device(device))
    predictor.stack(images[:32])
    start = time.perf_counter()
    predictor.stack(images)
    return n_slices / (time.perf_counter() - start)


def monai_network(checkpoint: Path, device: str, n_slices: int = 128) -> float:
    from monai.inferers import SliceInferer

    from sct.training.checkpoint import load_network

    inferer = SliceInferer(roi_size=(SIZE_PX, SIZE_PX), sw_batch_size=1, spatial_dim=0)
    model = load_network(checkpoint).network.to(device)
    volume = torch.rand(1, 1, n_slices, SIZE_PX, SIZE_PX, device=device)
    with torch.no_grad():
        inferer(volume[:, :, :8], model)
        start = time.perf_counter()
        inferer(volume, model).cpu()
    return n_slices / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--mr", type=Path)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--side")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if arguments.side:
            torch.set_num_threads(arguments.threads)
            mr, checkpoint, device = arguments.mr, arguments.checkpoint, arguments.device
            sides = {
                "ours": lambda: ours(mr, checkpoint, folder, device),
                "monai": lambda: monai(mr, checkpoint, folder),
                "network": lambda: network(checkpoint, device),
                "monai-network": lambda: monai_network(checkpoint, device),
            }
            main_of_sides(sides, arguments.side)
            return
        mr, checkpoint = arguments.mr or folder / "mr.nii.gz", folder / "light.ckpt"
        if arguments.mr is None:
            make_head(mr)
        make_checkpoint(checkpoint)
        words = ("--mr", str(mr), "--checkpoint", str(checkpoint), "--device", arguments.device)
        for one, other in (("ours", "monai"), ("network", "monai-network")):
            compare("benchmarks.predict", one, other, "slices/s", arguments.repeats, arguments.threads, *words)


if __name__ == "__main__":
    main()

"""The peer: plain MONAI, slice by slice in float32. Imports nothing of sct.

As a script, from file to file: `python -m benchmarks.peers.monai_prediction MR OUT CHECKPOINT MODULE:NETWORK SPACING_MM
SIZE_PX DEVICE`.
"""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from monai.data import MetaTensor
from monai.transforms import (
    Compose,
    CropForeground,
    EnsureChannelFirst,
    LoadImage,
    Orientation,
    Resize,
    SaveImage,
    ScaleIntensity,
    Spacing,
    SpatialPad,
)
from torch import Tensor, nn

LEVEL_HU, WIDTH_HU = 500.0, 2000.0
_LEAST_SIGNAL = 0.1  # of the brightest voxel; less is air


def predict_planes(
    volume: Tensor,
    masks: Sequence[Tensor],
    network: nn.Module,
    size_px: int,
    device: str = "cpu",
    batch: int = 1,
    every: int = 1,
) -> tuple[list[Tensor], int]:
    """Predict a gray volume (X, Y, Z) along each of its axes: masked, cropped square, resized, predicted, put back.

    Args:
        volume: Gray 0..1.
        masks: Per axis, boolean (X, Y, Z).
        network: In evaluation mode, on the device.
        size_px: Its input.
        device: Where it is.
        batch: Slices at a time.
        every: Takes every so manieth slice only.

    Returns:
        A gray volume per axis, 0 where nothing was predicted, and the number of slices.
    """
    frame = Compose(
        [
            CropForeground(channel_indices=1),
            Resize(size_px, size_mode="longest", mode="bilinear", anti_aliasing=True),
            SpatialPad((size_px, size_px)),
        ]
    )
    results, n_slices = [], 0
    with torch.inference_mode():
        for axis, mask in enumerate(masks):
            stack, inside = volume.movedim(axis, 0), mask.movedim(axis, 0)
            result = torch.zeros(stack.shape)
            chosen = [index for index in range(len(stack)) if inside[index].any()][::every]
            for start in range(0, len(chosen), batch):
                part = chosen[start : start + batch]
                pairs = [torch.stack([stack[index] * inside[index], inside[index]]) for index in part]
                framed = [frame(MetaTensor(pair)) for pair in pairs]
                images = torch.stack([pair.as_tensor()[:1] for pair in framed])
                predictions = network(images.to(device)).cpu()
                for index, pair, prediction in zip(part, framed, predictions, strict=True):
                    whole = MetaTensor(prediction, meta=pair.meta, applied_operations=pair.applied_operations)
                    result[index] = frame.inverse(whole)[0].as_tensor()
            results.append(result.movedim(0, axis))
            n_slices += len(chosen)
    return results, n_slices


def predict_file(mr: Path, out: Path, network: nn.Module, spacing_mm: float, size_px: int, device: str = "cpu") -> None:
    """Load, orient, resample, predict three planes, average, bring back to the MR's grid, save HU."""
    load = Compose([LoadImage(image_only=True), EnsureChannelFirst(), ScaleIntensity(0.0, 1.0)])
    grid = Compose([Orientation("RAS", labels=None), Spacing((spacing_mm,) * 3, mode="bilinear")])
    volume = grid(load(mr))
    gray = volume.as_tensor()[0]
    planes, _ = predict_planes(gray, [gray > _LEAST_SIGNAL] * 3, network.to(device).eval(), size_px, device)
    hu = volume.clone()
    hu[0] = (torch.stack(planes).mean(0) - 0.5) * WIDTH_HU + LEVEL_HU
    name = str(out).removesuffix(".nii.gz")
    SaveImage(output_ext=".nii.gz", resample=False, print_log=False)(grid.inverse(hu), filename=name)


def main(mr: str, out: str, checkpoint: str, network: str, spacing_mm: str, size_px: str, device: str) -> None:
    """Words of the command line."""
    module, _, name = network.partition(":")
    made = getattr(importlib.import_module(module), name)()
    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    made.load_state_dict({key.removeprefix("network."): value for key, value in state.items()})
    predict_file(Path(mr), Path(out), made, float(spacing_mm), int(size_px), device)


if __name__ == "__main__":
    main(*sys.argv[1:])

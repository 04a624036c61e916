"""The peer: a MONAI loop over the slices of each plane, in float32. Imports nothing of sct."""

import time
from pathlib import Path

import torch
from monai.data import MetaTensor
from monai.transforms import (
    Compose,
    EnsureChannelFirst,
    LoadImage,
    Orientation,
    Resize,
    SaveImage,
    ScaleIntensity,
    Spacing,
)
from torch import nn

LEVEL_HU, WIDTH_HU = 500.0, 2000.0


def predict(
    mr: Path,
    out: Path,
    network: nn.Module,
    spacing_mm: float,
    size_px: int,
    device: str = "cpu",
    batch: int = 1,
    every: int = 1,
) -> tuple[int, float]:
    """Write the mean of three planes in HU. Slices without signal are left out; `every` predicts each so manieth only.

    Returns:
        The number of slices, and the seconds of the loop over them, without reading, resampling and writing.
    """
    load = Compose(
        [
            LoadImage(image_only=True),
            EnsureChannelFirst(),
            Orientation("RAS", labels=None),
            Spacing((spacing_mm,) * 3, mode="bilinear"),
            ScaleIntensity(0.0, 1.0),
        ]
    )
    volume = load(mr)
    assert isinstance(volume, MetaTensor)
    network = network.to(device).eval()
    shrink = Resize((size_px, size_px), mode="bilinear", anti_aliasing=True)
    total, n_slices = torch.zeros(volume.shape[1:]), 0
    start_s = time.perf_counter()
    with torch.inference_mode():
        for axis in range(3):
            stack = volume.as_tensor()[0].movedim(axis, 0)
            grow = Resize(stack.shape[1:], mode="bilinear")
            result = torch.zeros(stack.shape)
            chosen = [index for index in range(len(stack)) if stack[index].max() > 0.1][::every]
            for start in range(0, len(chosen), batch):
                part = chosen[start : start + batch]
                images = torch.stack([torch.as_tensor(shrink(stack[index][None])) for index in part])
                predictions = network(images.to(device)).cpu()
                for index, prediction in zip(part, predictions, strict=True):
                    result[index] = torch.as_tensor(grow(prediction))[0]
            n_slices += len(chosen)
            total += result.movedim(0, axis)
    seconds = time.perf_counter() - start_s
    hu = volume.clone()
    hu[0] = (total / 3 - 0.5) * WIDTH_HU + LEVEL_HU
    name = str(out).removesuffix(".nii.gz")
    SaveImage(output_ext=".nii.gz", print_log=False)(hu, filename=name)
    return n_slices, seconds

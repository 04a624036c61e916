"""The peer: a MONAI loop over the slices of each plane, in float32. Imports nothing of sct."""

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
    mr: Path, out: Path, network: nn.Module, spacing_mm: float, size_px: int, device: str = "cpu", batch: int = 1
) -> int:
    """Write the mean of three planes in HU; returns the number of slices. Slices without signal are left out."""
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
    with torch.inference_mode():
        for axis in range(3):
            stack = volume.as_tensor()[0].movedim(axis, 0)
            grow = Resize(stack.shape[1:], mode="bilinear")
            result = torch.zeros(stack.shape)
            chosen = [index for index in range(len(stack)) if stack[index].max() > 0.1]
            for start in range(0, len(chosen), batch):
                part = chosen[start : start + batch]
                images = torch.stack([torch.as_tensor(shrink(stack[index][None])) for index in part])
                predictions = network(images.to(device)).cpu()
                for index, prediction in zip(part, predictions, strict=True):
                    result[index] = torch.as_tensor(grow(prediction))[0]
            n_slices += len(chosen)
            total += result.movedim(0, axis)
    hu = volume.clone()
    hu[0] = (total / 3 - 0.5) * WIDTH_HU + LEVEL_HU
    name = str(out).removesuffix(".nii.gz")
    SaveImage(output_ext=".nii.gz", print_log=False)(hu, filename=name)
    return n_slices

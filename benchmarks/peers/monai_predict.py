"""Prediction as it is usually written with MONAI: slice by slice, in float32, one slice at a time."""

from pathlib import Path

import torch
from monai.transforms import LoadImage, Orientation, Resize, SaveImage, ScaleIntensity, Spacing, SpatialPad
from torch import nn


def predict(mr: Path, out: Path, network: nn.Module, spacing_mm: float = 1.0, size_px: int = 224) -> int:
    """Read, predict three planes, average, write; returns the number of slices that went through the network."""
    image = LoadImage(image_only=True, ensure_channel_first=True)(mr)
    image = Orientation("RAS")(image)
    image = Spacing((spacing_mm,) * 3, mode="bilinear")(image)
    image = ScaleIntensity(0.0, 1.0)(image)
    network.eval()
    total = torch.zeros_like(image)
    n_slices = 0
    with torch.no_grad():
        for axis in (1, 2, 3):
            for index in range(image.shape[axis]):
                one = image.select(axis, index)
                if one.max() < 0.1:  # air
                    continue
                rows, cols = one.shape[1:]
                side = max(rows, cols)
                square = SpatialPad((side, side), method="end")(one)
                small = Resize((size_px, size_px), mode="bilinear")(square)
                predicted = network(small.as_tensor()[None])[0]
                back = Resize((side, side), mode="bilinear")(predicted)
                total.select(axis, index).add_(back[:, :rows, :cols] / 3)
                n_slices += 1
    hu = total * 2000.0 - 500.0
    SaveImage(out.parent, output_postfix="monai", separate_folder=False, print_log=False)(hu)
    return n_slices

"""The page to look at a prediction: the MR, the synthetic CT, where not to trust it, and its bone surface."""

from pathlib import Path

import numpy as np

from sct.core.errors import SctError
from sct.core.gray import Window
from sct.core.volume import AIR_HU, Volume
from sct.geometry.resample import resample
from sct.surfaces.bone import BoneSettings, bone_surface
from sct.surfaces.viewer import ViewerLayer, difference_layer, write_viewer
from sct.synthesis.notes import DISCLAIMER, saturation_note
from sct.synthesis.synthesize import Synthesis

__all__ = ["write_page"]


def write_page(path: Path, mr: Volume, synthesis: Synthesis, window: Window, reference: Volume | None = None) -> None:
    """Write the page of a prediction; see `write_viewer`.

    Args:
        path: The `.html` file.
        mr: What went in.
        synthesis: What came out.
        window: Shown for CT; differences are taken within it.
        reference: A CT to compare with, in the same world.

    Raises:
        SctError: The page cannot be written.
    """
    ct = {"colormap": "gray", "cal_min": window.lowest_hu, "cal_max": window.highest_hu}
    low, high = (float(value) for value in np.percentile(np.asarray(mr.data, np.float32), (1, 99.5)))
    layers = [
        ViewerLayer("MR", mr, "gray", low, max(high, low + 1e-6)),
        ViewerLayer("synthetic CT", synthesis.hu, **ct),  # type: ignore[arg-type]
    ]
    if reference is not None:
        real, seen = resample(reference, mr.shape, mr.affine, order=1, fill=AIR_HU)
        layers.append(ViewerLayer("CT", Volume(real, mr.affine), **ct, opacity=0.0))  # type: ignore[arg-type]
        limits = (window.lowest_hu, window.highest_hu)
        shown = np.clip(real, *limits), np.clip(synthesis.hu.data, *limits)
        layers.append(difference_layer("CT - synthetic CT", *shown, seen, mr.affine))
    layers.append(ViewerLayer("uncertainty", synthesis.uncertainty_hu, "hot", 0.0, 300.0, opacity=0.0))
    try:
        mesh = bone_surface(synthesis.hu, BoneSettings(), "synthetic CT")
    except SctError:
        mesh = None  # a volume without bone is still worth looking at
    note = " ".join([DISCLAIMER, saturation_note(window), *(f"Warning: {line}." for line in synthesis.warnings)])
    write_viewer(path, layers, mesh, "Synthetic CT", note)

"""One picture of a prediction: what went in, what came out, where not to trust it."""

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.core.gray import Window
from sct.core.volume import AIR_HU, Volume
from sct.geometry.resample import resample
from sct.slices.planes import PLANES, extract
from sct.synthesis.notes import DISCLAIMER, saturation_note
from sct.synthesis.synthesize import Synthesis

__all__ = ["write_preview"]

_UNCERTAIN_HU = 300.0  # upper end of the uncertainty's scale, as much as separates soft tissue from bone
_ERROR_HU = 500.0


def write_preview(path: Path, synthesis: Synthesis, window: Window, reference: Volume | None = None) -> None:
    """Write a PNG: a row per plane through the middle of the head, a column per image, and the warnings below.

    Args:
        path: The PNG.
        synthesis: What was predicted.
        window: Shown for CT.
        reference: A CT to show beside the synthetic one, with the difference: red where the synthetic CT is darker.
    """
    # the object-oriented way: no window system is looked for, no global state is changed
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = _columns(synthesis, window, reference)
    centre = _centre(synthesis.mask.inside)
    text = [textwrap.fill(f"Warning: {line}", 110) for line in synthesis.warnings]
    text.append(textwrap.fill(f"{saturation_note(window)} {DISCLAIMER}", 110))
    n_lines = sum(entry.count("\n") + 1 for entry in text)
    figure = Figure(figsize=(2.7 * len(columns), 7.8 + 0.2 * n_lines), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    bottom = (0.2 * n_lines + 0.1) / figure.get_figheight()
    axes = figure.subplots(
        len(PLANES),
        len(columns),
        squeeze=False,
        gridspec_kw={"left": 0.02, "right": 0.98, "top": 0.95, "bottom": bottom, "wspace": 0.03, "hspace": 0.03},
    )
    for row, plane in enumerate(PLANES):
        for column, (title, volume, look) in enumerate(columns):
            place = axes[row][column]
            place.imshow(extract(volume, plane)[centre[plane]], interpolation="nearest", **look)
            place.set_axis_off()
            if row == 0:
                place.set_title(title, fontsize=9)
    for number, entry in enumerate(reversed(text)):
        below = sum(other.count("\n") + 1 for other in text[len(text) - number :])
        color = "black" if number == 0 else "firebrick"
        figure.text(0.02, (0.2 * below + 0.05) / figure.get_figheight(), entry, fontsize=8, color=color)
    figure.savefig(path, format="png", metadata={"Software": None})


def _columns(
    synthesis: Synthesis, window: Window, reference: Volume | None
) -> list[tuple[str, NDArray[np.floating], dict[str, Any]]]:
    """Title, volume on the network's grid, and how it is shown."""
    isotropic, fused = synthesis.isotropic, synthesis.fused
    inside = synthesis.mask.inside & fused.covered
    hu = np.where(inside, fused.hu, np.float32(AIR_HU))
    low, high = np.percentile(isotropic.data, (1, 99.5))
    ct = {"cmap": "gray", "vmin": window.lowest_hu, "vmax": window.highest_hu}
    columns: list[tuple[str, NDArray[np.floating], dict[str, Any]]] = [
        ("MR", isotropic.data, {"cmap": "gray", "vmin": low, "vmax": max(high, low + 1e-6)}),
        ("synthetic CT", hu, ct),
    ]
    if reference is not None:
        real, _ = resample(reference, hu.shape, isotropic.affine, order=1, fill=AIR_HU)
        clipped = np.clip(hu, window.lowest_hu, window.highest_hu) - np.clip(real, window.lowest_hu, window.highest_hu)
        columns.append(("CT", real, ct))
        scale = {"cmap": "RdBu", "vmin": -_ERROR_HU, "vmax": _ERROR_HU}
        columns.append((f"synthetic - CT, +-{_ERROR_HU:g} HU", clipped, scale))
    uncertainty = np.where(inside, fused.uncertainty_hu, np.float32(0))
    scale = {"cmap": "inferno", "vmin": 0.0, "vmax": _UNCERTAIN_HU}
    columns.append((f"uncertainty, 0-{_UNCERTAIN_HU:g} HU", uncertainty, scale))
    return columns


def _centre(inside: NDArray[np.bool_]) -> dict[str, int]:
    """Slice number of each plane through the middle of the mask; of the volume when it is empty."""
    places = {}
    for plane in PLANES:
        slices = extract(inside, plane)
        filled = np.flatnonzero(slices.any((1, 2)))
        places[plane] = int(filled[filled.size // 2]) if filled.size else len(slices) // 2
    return places

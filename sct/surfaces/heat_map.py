"""Deviation as colours on the surface, and a picture of it from all sides."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.core.files import atomic_path
from sct.surfaces.deviation import Deviation
from sct.surfaces.mesh import Mesh
from sct.surfaces.views import VIEWS, render_views

__all__ = ["color_limit_mm", "deviation_colors", "write_heat_map"]

# Red: the test lacks bone; blue: the test has too much (as in the paper's figure 1: red where the synthetic CT is
# darker than the CT).
COLORMAP = "RdBu"
NOT_COMPARED_RGB = (150, 150, 150)
PANEL_PX = 520


def color_limit_mm(tolerance_mm: float) -> float:
    """Deviation at which the colours saturate: twice the tolerance, so that the tolerance is half way."""
    return 2 * tolerance_mm


def deviation_colors(deviation: Deviation, tolerance_mm: float) -> NDArray[np.uint8]:
    """RGB of every vertex (V, 3): red negative, white zero, blue positive; gray where nothing was compared."""
    import matplotlib

    limit = color_limit_mm(tolerance_mm)
    map_colors: Any = matplotlib.colormaps[COLORMAP]
    places = np.clip((deviation.values_mm + limit) / (2 * limit), 0, 1)
    colors: NDArray[np.uint8] = np.rint(np.asarray(map_colors(places))[:, :3] * 255).astype(np.uint8)
    colors[~deviation.compared] = NOT_COMPARED_RGB
    return colors


def write_heat_map(mesh: Mesh, path: Path, tolerance_mm: float, title: str) -> str:
    """Write the picture of a mesh coloured by `deviation_colors` from six sides, with its scale.

    Args:
        mesh: With colours.
        path: PNG file.
        tolerance_mm: Marked on the scale.
        title: Line above the pictures.

    Returns:
        The renderer that drew: "vtk" or "splats".

    Raises:
        SctError: The file cannot be written.
    """
    import matplotlib
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    images, renderer = render_views(mesh, PANEL_PX)
    figure = Figure(figsize=(12, 8.4), layout="constrained")
    axes = figure.subplots(2, 3)
    for panel, view, image in zip(axes.ravel(), VIEWS, images, strict=True):
        panel.imshow(image)
        panel.set_title(view.name, fontsize=11)
        panel.axis("off")
    figure.suptitle(title, fontsize=12)
    limit = color_limit_mm(tolerance_mm)
    scale = figure.colorbar(
        ScalarMappable(Normalize(-limit, limit), matplotlib.colormaps[COLORMAP]),
        ax=axes,
        orientation="horizontal",
        fraction=0.04,
        aspect=60,
        extend="both",
        ticks=[-limit, -tolerance_mm, 0, tolerance_mm, limit],
    )
    scale.set_label("mm    red: the test lacks bone    blue: the test has too much    gray: not compared")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)
    return renderer

"""A web page of one file that shows volumes and a mesh, with NiiVue inside."""

import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.core.errors import SctError
from sct.core.files import write_text
from sct.core.volume import Volume
from sct.surfaces.mesh import Mesh
from sct.surfaces.niivue import load_niivue
from sct.surfaces.page_encoding import LEVELS, coarser, mesh_for_page, mz3_base64, nifti_base64

__all__ = ["MAX_PAGE_MB", "ViewerLayer", "difference_layer", "write_viewer"]

MAX_PAGE_MB = 25.0  # opens at once in a browser and goes by mail
MAX_TRIANGLES = 200_000
_DIFFERENCE_LIMIT_HU = 500.0  # full colour
TEMPLATE = Path(__file__).with_name("viewer.html")


@dataclass(frozen=True)
class ViewerLayer:
    """A volume and how it is shown at first.

    Attributes:
        name: In the list of layers and beside its values.
        volume: Any grid; the first layer's grid is that of the planes.
        colormap: A colour map of NiiVue, such as gray, hot, viridis, blue2red.
        cal_min: Value of the map's first colour.
        cal_max: Value of the map's last colour.
        opacity: 0 (switched off) to 1.
    """

    name: str
    volume: Volume
    colormap: str = "gray"
    cal_min: float = -500.0  # HU, the study's bone window
    cal_max: float = 1500.0  # HU
    opacity: float = 1.0


def difference_layer(
    name: str,
    reference_hu: NDArray[np.generic],
    test_hu: NDArray[np.generic],
    known: NDArray[np.bool_],
    affine: NDArray[np.float64],
) -> ViewerLayer:
    """Reference - test, switched off at first: red where the test is darker, blue where brighter, as in the paper.

    Args:
        name: Of the layer.
        reference_hu: Array (X, Y, Z).
        test_hu: The same.
        known: Where both are; elsewhere the difference is 0.
        affine: Voxel -> world mm, RAS.
    """
    difference = np.where(known, np.asarray(reference_hu, np.float32) - np.asarray(test_hu, np.float32), 0).astype(
        np.float32
    )
    limits = (-_DIFFERENCE_LIMIT_HU, _DIFFERENCE_LIMIT_HU)
    return ViewerLayer(name, Volume(difference, affine), "blue2red", *limits, opacity=0.0)


def write_viewer(
    path: Path,
    layers: Sequence[ViewerLayer],
    mesh: Mesh | None = None,
    title: str = "Synthetic CT",
    note: str = "",
    figures: Sequence[tuple[str, str]] = (),
) -> None:
    """Write a page that needs no network: volumes, mesh and NiiVue are inside.

    Values are kept in steps of 1/256 of the layer's display window. Where the page would grow beyond 25 MB, all layers
    are shown on coarser voxels; the page says so.

    Args:
        path: The `.html` file; written atomically.
        layers: At least one; later layers lie over earlier ones.
        mesh: Surface in world RAS mm, with or without colours.
        title: Heading.
        note: A sentence or two beside the layers, plain text.
        figures: Rows of a table of names and values.

    Raises:
        SctError: The installed ipyniivue carries no NiiVue, a window is empty, or the page
            cannot be written.
    """
    if not layers:
        raise ValueError("a viewer shows at least one layer")
    for layer in layers:
        if not layer.cal_max > layer.cal_min:
            raise SctError(f"viewer: {layer.name}: empty window {layer.cal_min:g} to {layer.cal_max:g}")
    module, licence = load_niivue()
    surface = _mesh_entry(mesh)
    room_bytes = MAX_PAGE_MB * 1e6 - len(module) - (len(surface["mz3"]) if surface else 0)
    entries, coarsening = _layer_entries(layers, room_bytes)
    encoding = f"Values in this page are rounded to 1/{LEVELS} of each layer's window; "
    if coarsening > 1:
        encoding += f"voxels are shown {coarsening:.2g} times as large as in the files, to keep the page small. "
    else:
        encoding += "voxels are those of the files. "
    encoding += "For measurements use the files."
    data = {"layers": entries, "mesh": surface, "note": note, "figures": list(figures), "encoding": encoding}
    values = {
        "TITLE": html.escape(title),
        "LICENSE": licence.replace("--", "- -"),
        # A "<" in a name must not end the script element.
        "DATA": json.dumps(data).replace("<", "\\u003c"),
        "NIIVUE": module,
    }
    template = TEMPLATE.read_text(encoding="utf-8")
    write_text(path, re.sub("@@([A-Z]+)@@", lambda match: values[match.group(1)], template))


def _layer_entries(layers: Sequence[ViewerLayer], room_bytes: float) -> tuple[list[dict[str, Any]], float]:
    """The layers as JSON objects that fit in the room, and how much coarser than the files they are."""
    factor = 1.0
    while True:
        entries = [_layer_entry(layer, factor) for layer in layers]
        size = sum(len(entry["nifti"]) for entry in entries)
        if size <= room_bytes or factor > 16:
            return entries, factor
        # Bytes go with the voxels, a little slower: coarse voxels compress less.
        factor *= 1.05 * (size / room_bytes) ** (1 / 3)


def _layer_entry(layer: ViewerLayer, factor: float) -> dict[str, Any]:
    volume = layer.volume if factor == 1 else coarser(layer.volume, factor)
    spacing = " x ".join(f"{mm:.2g}" for mm in volume.spacing_mm)
    return {
        "name": layer.name,
        "nifti": nifti_base64(volume, (layer.cal_max - layer.cal_min) / LEVELS),
        "colormap": layer.colormap,
        "cal_min": layer.cal_min,
        "cal_max": layer.cal_max,
        "opacity": layer.opacity,
        "size": f"voxels {spacing} mm",
    }


def _mesh_entry(mesh: Mesh | None) -> dict[str, Any] | None:
    if mesh is None:
        return None
    shown = mesh_for_page(mesh, MAX_TRIANGLES)
    size = f"{len(shown.faces):,} triangles"
    if len(shown.faces) < len(mesh.faces):
        size += f" of {len(mesh.faces):,}"
    return {"name": "Surface", "mz3": mz3_base64(shown), "size": size}

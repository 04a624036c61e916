"""Which region of a label map each vertex belongs to."""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sct.core.errors import SctError
from sct.core.volume import Volume
from sct.io.volumes import volume_suffix
from sct.surfaces.mesh import Mesh

__all__ = ["UNLABELLED", "read_region_names", "regions_of_vertices"]

UNLABELLED = "unlabelled"
# A bone surface runs between voxels, and labels are often drawn too tight; counted from the labelled voxel's corner.
REACH_MM = 3.0


def regions_of_vertices(mesh: Mesh, labels: Volume, names: dict[int, str]) -> dict[str, NDArray[np.bool_]]:
    """The vertices of every region: each vertex takes the label of the nearest labelled voxel within 3 mm.

    Args:
        mesh: Surface in world mm.
        labels: Label map of whole numbers, 0 = no region; any grid in the same world.
        names: Label -> name; a label without one is called `label-<number>`.

    Returns:
        Region name -> bool (V,), in the order of the labels; `unlabelled` last, when any vertex is.

    Raises:
        SctError: The labels are not whole numbers, or there are none.
    """
    from scipy.spatial import cKDTree

    values = np.asarray(labels.data)
    whole = np.rint(values).astype(np.int64)
    if not np.array_equal(whole, values):
        raise SctError("--regions: the label map holds values that are not whole numbers; give a segmentation")
    voxels = np.argwhere(whole != 0)
    if not len(voxels):
        raise SctError("--regions: the label map holds no label (all voxels are 0)")
    tree = cKDTree(voxels @ labels.affine[:3, :3].T + labels.affine[:3, 3])
    reach_mm = REACH_MM + float(np.linalg.norm(labels.spacing_mm)) / 2
    # Beyond the reach the tree answers with an index past its points: that is the 0 appended here.
    _, nearest = tree.query(mesh.points_mm, distance_upper_bound=reach_mm, workers=-1)
    found = np.append(whole[tuple(voxels.T)], 0)[nearest]
    regions: dict[str, NDArray[np.bool_]] = {}
    for label in np.unique(found[found != 0]):
        name = names.get(int(label), f"label-{label}")
        regions[name] = regions.get(name, False) | (found == label)  # labels of one name are one region
    if (found == 0).any():
        regions[UNLABELLED] = found == 0
    return regions


def read_region_names(labels_path: Path, names_path: Path | None) -> dict[int, str]:
    """Names of labels from a tab-separated file with the columns `index` and `name` (BIDS' `dseg.tsv`).

    Args:
        labels_path: The label map; without `names_path` a file of the same name ending in `.tsv` is read if there.
        names_path: The file, or None.

    Returns:
        Label -> name; empty when there is no file.

    Raises:
        SctError: The file is missing, lacks a column, or an index is no whole number.
    """
    if names_path is None:
        suffix = volume_suffix(labels_path)
        names_path = labels_path.with_name(labels_path.name[: -len(suffix)] + ".tsv") if suffix else labels_path
        if not names_path.is_file():
            return {}
    try:
        with names_path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        return {int(row["index"]): row["name"] for row in rows}
    except OSError as error:
        raise SctError(f"{names_path}: cannot be read ({error.strerror})") from error
    except (KeyError, TypeError, ValueError) as error:
        raise SctError(
            f"{names_path}: not a table of region names; it needs the tab-separated columns index (a whole number) "
            "and name"
        ) from error

"""How far a test surface deviates from a reference surface, vertex by vertex and in numbers."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sct.core.volume import Volume
from sct.surfaces.distance import signed_distance_mm
from sct.surfaces.mesh import Mesh

__all__ = ["SIGN_CONVENTION", "Deviation", "agreement", "deviation_of_reference", "deviation_of_test", "summary"]

SIGN_CONVENTION = (
    "negative: bone of the reference is missing in the test, or the test lies further in; "
    "positive: the test has bone that the reference has not, or lies further out"
)


@dataclass(frozen=True)
class Deviation:
    """Deviation at the vertices of one surface; see `SIGN_CONVENTION`, which holds for both directions.

    Attributes:
        values_mm: Signed distance of each vertex to the nearest place on the other surface (V,).
        areas_mm2: Surface that each vertex stands for (V,).
        compared: Vertices that count (V,): inside both volumes and not on a cut face.
        n_cut_face: Vertices on the faces that close the bone at the border of its own volume.
        n_outside: Other vertices outside the other volume, where it can show no bone.
    """

    values_mm: NDArray[np.float64]
    areas_mm2: NDArray[np.float64]
    compared: NDArray[np.bool_]
    n_cut_face: int
    n_outside: int


def deviation_of_reference(reference: Mesh, test: Mesh, reference_grid: Volume, test_grid: Volume) -> Deviation:
    """Distance from every vertex of the reference to the test surface: the paper's direction, where missing bone shows.

    Source: Bambach & Ho 2022, surfaces for 3-D printing: "for each point of the reference surface the deviation of the
    nearest point on the test surface".
    """
    # A vertex of the reference inside the test's bone: the test surface lies further out.
    return _deviation(reference, test, reference_grid, test_grid, sign=-1)


def deviation_of_test(reference: Mesh, test: Mesh, reference_grid: Volume, test_grid: Volume) -> Deviation:
    """Distance from every vertex of the test to the reference surface, where bone made up by the test shows."""
    return _deviation(test, reference, test_grid, reference_grid, sign=1)


def _deviation(surface: Mesh, other: Mesh, own_grid: Volume, other_grid: Volume, sign: int) -> Deviation:
    own, others = _inside_grid(surface.points_mm, own_grid), _inside_grid(surface.points_mm, other_grid)
    return Deviation(
        values_mm=sign * signed_distance_mm(surface.points_mm, other),
        areas_mm2=surface.vertex_areas_mm2,
        compared=own & others,
        n_cut_face=int((~own).sum()),
        n_outside=int((own & ~others).sum()),
    )


def _inside_grid(points_mm: NDArray[np.float64], grid: Volume) -> NDArray[np.bool_]:
    """Whether points lie between the outermost voxel centres of a volume, shape (N,)."""
    inverse = np.linalg.inv(grid.affine)
    voxels = points_mm @ inverse[:3, :3].T + inverse[:3, 3]
    slack = 1e-3  # voxels; vertices on the outermost centres are inside whatever the rounding
    return np.asarray(((voxels >= -slack) & (voxels <= np.array(grid.shape) - 1 + slack)).all(axis=1))


def summary(
    deviation: Deviation, tolerance_mm: float, chosen: NDArray[np.bool_] | None = None
) -> dict[str, dict[str, float | int | None]]:
    """Figures over the compared vertices, each vertex alike (the paper's) and weighted by the area it stands for.

    Marching cubes puts more vertices where the surface runs askew to the voxels; area weights take that out.

    Args:
        deviation: Values at the vertices.
        tolerance_mm: The share within +- this is reported; the limit itself is within.
        chosen: Optional further restriction of the vertices (V,), such as one region.

    Returns:
        `{"per_vertex": {...}, "area_weighted": {...}}`; all None but the counts when there is no vertex. SD is that of
        the population; `range_mm` is highest minus lowest.
    """
    picked = deviation.compared if chosen is None else deviation.compared & chosen
    values, areas = deviation.values_mm[picked], deviation.areas_mm2[picked]
    return {
        "per_vertex": _figures(values, np.ones_like(values), tolerance_mm) | {"n_vertices": len(values)},
        "area_weighted": _figures(values, areas, tolerance_mm) | {"area_mm2": float(areas.sum())},
    }


def agreement(of_reference: Deviation, of_test: Deviation, tolerance_mm: float) -> dict[str, float | None]:
    """Figures of both directions together, area-weighted: mean distance, its 95th percentile, surface Dice.

    Source: Nikolov et al., J Med Internet Res 2021;23:e26151 (surface Dice at a tolerance).
    """
    values = [np.abs(side.values_mm[side.compared]) for side in (of_reference, of_test)]
    areas = [side.areas_mm2[side.compared] for side in (of_reference, of_test)]
    if not all(len(side) for side in values):
        return {"mean_distance_mm": None, "hausdorff_95_mm": None, "surface_dice": None}
    within = sum(float(area[value <= tolerance_mm].sum()) for value, area in zip(values, areas, strict=True))
    total = sum(float(area.sum()) for area in areas)
    return {
        "mean_distance_mm": float(np.average(np.concatenate(values), weights=np.concatenate(areas))),
        "hausdorff_95_mm": max(_quantiles(v, a, [0.95])[0] for v, a in zip(values, areas, strict=True)),
        "surface_dice": within / total,
    }


def _figures(
    values: NDArray[np.float64], weights: NDArray[np.float64], tolerance_mm: float
) -> dict[str, float | int | None]:
    names = ["mean_mm", "sd_mm", "min_mm", "max_mm", "range_mm", "q1_mm", "median_mm", "q3_mm", "iqr_mm"]
    names += ["mean_abs_mm", "abs_p95_mm", "share_within_tolerance"]
    if not len(values) or weights.sum() <= 0:
        return dict.fromkeys(names)
    mean = float(np.average(values, weights=weights))
    low, middle, high = _quantiles(values, weights, [0.25, 0.5, 0.75])
    absolute = np.abs(values)
    figures = [
        mean,
        float(np.sqrt(np.average((values - mean) ** 2, weights=weights))),
        float(values.min()),
        float(values.max()),
        float(np.ptp(values)),
        low,
        middle,
        high,
        high - low,
        float(np.average(absolute, weights=weights)),
        _quantiles(absolute, weights, [0.95])[0],
        float(np.average(absolute <= tolerance_mm, weights=weights)),
    ]
    return dict(zip(names, figures, strict=True))


def _quantiles(values: NDArray[np.float64], weights: NDArray[np.float64], levels: list[float]) -> list[float]:
    """Weighted quantiles, linear between the middles of the sorted values' weights."""
    order = np.argsort(values)
    middles = np.cumsum(weights[order]) - weights[order] / 2
    return [float(np.interp(level * weights.sum(), middles, values[order])) for level in levels]


def summaries_by_region(
    deviation: Deviation, regions: Mapping[str, NDArray[np.bool_]], tolerance_mm: float
) -> dict[str, dict[str, dict[str, float | int | None]]]:
    """`summary` of every region that has a compared vertex.

    Args:
        deviation: Values at the vertices.
        regions: Region name -> its vertices (V,).
        tolerance_mm: As in `summary`.
    """
    return {
        name: summary(deviation, tolerance_mm, chosen)
        for name, chosen in regions.items()
        if (deviation.compared & chosen).any()
    }

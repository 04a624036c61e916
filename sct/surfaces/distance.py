"""Signed distance from points to a closed surface."""

import numpy as np
from numpy.typing import NDArray

from sct.surfaces.mesh import Mesh, to_polydata

__all__ = ["signed_distance_mm"]


def signed_distance_mm(points_mm: NDArray[np.float64], surface: Mesh) -> NDArray[np.float64]:
    """Distance from each point to the nearest place on any triangle: positive outside, negative inside.

    The sign comes from the angle-weighted normal of the nearest face, edge or corner (Baerentzen & Aanaes, IEEE TVCG
    2005), which is exact for a closed surface. VTK searches in parallel on all cores.

    Args:
        points_mm: Points (N, 3).
        surface: A closed mesh with at least one triangle.

    Returns:
        Distances (N,) in mm; empty for no points.
    """
    import pyvista
    from vtkmodules.vtkFiltersGeneral import vtkDistancePolyDataFilter

    if not len(points_mm):
        return np.zeros(0)
    search = vtkDistancePolyDataFilter()
    search.SetInputData(0, pyvista.PolyData(np.asarray(points_mm, dtype=np.float64)))
    search.SetInputData(1, to_polydata(Mesh(surface.points_mm, surface.faces)))
    search.ComputeSecondDistanceOff()
    search.ComputeCellCenterDistanceOff()
    search.SignedDistanceOn()
    search.Update()
    return np.array(pyvista.wrap(search.GetOutput()).point_data["Distance"], dtype=np.float64)

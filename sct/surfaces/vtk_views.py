"""Draws the views of a mesh with VTK; run as a process of its own: `python -m sct.surfaces.vtk_views IN OUT SIZE`."""

import sys
from typing import Any

import numpy as np

from sct.surfaces.mesh import Mesh, to_polydata
from sct.surfaces.views import VIEWS

__all__ = ["main"]

MARGIN = 0.05  # of the picture's side, all round


def main() -> None:
    """Read a mesh (.npz with points_mm, faces, colors), draw it from all views, save the pictures (.npy)."""
    import pyvista

    source, target, size_px = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with np.load(source) as arrays:
        mesh = Mesh(arrays["points_mm"], arrays["faces"], arrays["colors"])
    center = mesh.bounds_mm.mean(axis=0)
    extent_mm = float(np.ptp(mesh.bounds_mm, axis=0).max())
    plotter: Any = pyvista.Plotter(off_screen=True, window_size=[size_px, size_px], lighting="none")
    plotter.add_light(pyvista.Light(light_type="headlight"))
    plotter.set_background("white")
    plotter.add_mesh(
        to_polydata(mesh), scalars="RGB", rgb=True, smooth_shading=True, ambient=0.25, diffuse=0.8, specular=0.0
    )
    plotter.enable_parallel_projection()
    plotter.show(auto_close=False)
    images = []
    for view in VIEWS:
        plotter.camera.focal_point = center
        plotter.camera.position = center + 3 * extent_mm * np.asarray(view.towards_viewer)
        plotter.camera.up = view.up
        plotter.camera.parallel_scale = extent_mm / 2 / (1 - 2 * MARGIN)
        plotter.reset_camera_clipping_range()
        plotter.render()
        images.append(np.asarray(plotter.screenshot(return_img=True))[:, :, :3])
    plotter.close()
    np.save(target, np.stack(images))


if __name__ == "__main__":
    main()

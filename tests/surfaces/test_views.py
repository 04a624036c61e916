"""Pictures of surfaces: both renderers show the same side, and the fallback takes over."""

import subprocess
from typing import Any

import numpy as np
import pytest
from surface_shapes import box, solid, sphere, union

from sct.surfaces import views
from sct.surfaces.bone import BoneSettings, bone_surface
from sct.surfaces.deviation import Deviation
from sct.surfaces.heat_map import deviation_colors
from sct.surfaces.mesh import Mesh
from sct.surfaces.splats import splat_view
from sct.surfaces.views import VIEWS, render_views

NOSE_MM = (0.0, 14.0, 0.0)
SIZE_PX = 120


def head() -> Mesh:
    """A ball with a box in front of it (the nose), blue on the patient's left, red on the right, dark on top."""
    mesh = bone_surface(solid(union(sphere(12.0), box((2.0, 4.0, 2.0), NOSE_MM))), BoneSettings(), "ct")
    colors = np.where(mesh.points_mm[:, :1] < 0, [[60, 60, 255]], [[255, 60, 60]])
    colors[mesh.points_mm[:, 2] > 6] = [40, 40, 40]
    return Mesh(mesh.points_mm, mesh.faces, colors.astype(np.uint8))


def check_sides(images: list[np.ndarray]) -> None:
    shown = dict(zip((view.name for view in VIEWS), images, strict=True))
    red = {name: (image[..., 0] > image[..., 2].astype(int) + 60) for name, image in shown.items()}
    blue = {name: (image[..., 2] > image[..., 0].astype(int) + 60) for name, image in shown.items()}
    ink = {name: (image < 250).any(axis=2) for name, image in shown.items()}
    column = np.arange(SIZE_PX)[None, :]
    assert red["patient's right"].sum() > 500
    assert blue["patient's right"].sum() < 20
    assert blue["patient's left"].sum() > 500
    # The patient faces us: the right side is on our left; from behind the other way round.
    assert (column * red["front"]).sum() / red["front"].sum() < (column * blue["front"]).sum() / blue["front"].sum()
    assert (column * red["back"]).sum() / red["back"].sum() > (column * blue["back"]).sum() / blue["back"].sum()
    # The nose sticks out to our right when we see the patient's right side.
    assert ink["patient's right"][55:65].nonzero()[1].max() > ink["patient's right"][40:45].nonzero()[1].max() + 4
    assert ink["top"][:, 55:65].nonzero()[0].min() < ink["top"][:, 35:40].nonzero()[0].min() - 4
    dark = {name: (image.max(axis=2) < 60) for name, image in shown.items()}
    assert dark["front"].nonzero()[0].mean() < SIZE_PX / 2
    assert dark["bottom"].sum() < 0.1 * dark["top"].sum()


def test_vtk_shows_the_same_sides_where_it_can_draw() -> None:
    images, renderer = render_views(head(), SIZE_PX)
    if renderer != "vtk":
        pytest.skip("VTK cannot draw here: no EGL and no display")
    check_sides(images)
    others = [splat_view(head(), view.towards_viewer, view.up, SIZE_PX) for view in VIEWS]
    for one, other in zip(images, others, strict=True):
        assert np.mean((one < 250).any(axis=2) != (other < 250).any(axis=2)) < 0.06


@pytest.mark.parametrize(
    "fault",
    [
        subprocess.CalledProcessError(-6, "vtk"),  # VTK aborts where it finds no way to render
        subprocess.TimeoutExpired("vtk", 120),
        OSError("cannot start a process"),
    ],
)
def test_the_software_renderer_takes_over_when_vtk_fails(fault: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise fault

    monkeypatch.setattr(subprocess, "run", fail)
    images, renderer = render_views(head(), SIZE_PX)
    assert renderer == "splats"
    check_sides(images)


def test_an_empty_picture_of_vtk_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    def white(command: list[str], **_: Any) -> None:
        np.save(command[-2], np.full((len(VIEWS), SIZE_PX, SIZE_PX, 3), 255, dtype=np.uint8))

    monkeypatch.setattr(views.subprocess, "run", white)
    assert render_views(head(), SIZE_PX)[1] == "splats"


def test_colours_are_red_for_missing_bone_and_gray_for_what_was_not_compared() -> None:
    values = np.array([-4.0, 0.0, 4.0, -99.0, 1.0])
    compared = np.array([True, True, True, True, False])
    colors = deviation_colors(Deviation(values, np.ones(5), compared, 0, 0), tolerance_mm=2.0).astype(int)
    assert colors[0, 0] > colors[0, 2] + 60
    assert colors[1].min() > 240
    assert colors[2, 2] > colors[2, 0] + 60
    np.testing.assert_array_equal(colors[3], colors[0])
    assert np.ptp(colors[4]) == 0

"""The page: what it holds, and that a browser shows it without any network."""

import base64
import gzip
import json
import re
import struct
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from browser import needs_browser, open_page
from surface_shapes import grid_affine, shell, solid, sphere, union

from sct.core.errors import SctError
from sct.core.volume import Volume
from sct.surfaces import niivue, viewer
from sct.surfaces.bone import BoneSettings, bone_surface
from sct.surfaces.mesh import Mesh
from sct.surfaces.viewer import ViewerLayer, write_viewer


def page_data(path: Path) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="page-data">(.*?)</script>', path.read_text(), re.DOTALL)
    assert found
    return json.loads(found.group(1))


def embedded(layer: dict[str, Any]) -> nibabel.Nifti1Image:
    return nibabel.Nifti1Image.from_bytes(gzip.decompress(base64.b64decode(layer["nifti"])))


def colored_ball() -> Mesh:
    mesh = bone_surface(solid(sphere(12.0)), BoneSettings(), "ct")
    colors = np.tile(np.array([[200, 30, 30]], dtype=np.uint8), (len(mesh.points_mm), 1))
    return Mesh(mesh.points_mm, mesh.faces, colors)


def test_the_page_holds_the_values_in_their_place_within_half_a_step(tmp_path: Path) -> None:
    affine = grid_affine(0.9)
    affine[0, 1], affine[:3, 0] = 0.2, -affine[:3, 0]
    volume = solid(sphere(12.0), affine=affine)
    write_viewer(tmp_path / "page.html", [ViewerLayer("CT", volume, "gray", -500.0, 1500.0)])
    image = embedded(page_data(tmp_path / "page.html")["layers"][0])
    np.testing.assert_allclose(image.affine, affine, atol=1e-5)
    np.testing.assert_allclose(image.get_fdata(), volume.data, atol=2000 / 256 / 2 + 1e-3)


def test_a_large_page_is_made_coarser_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = solid(shell(8.0, 12.0))
    noisy = Volume(volume.data + np.random.default_rng(0).normal(0, 100, volume.shape), volume.affine)
    write_viewer(tmp_path / "fine.html", [ViewerLayer("CT", noisy)])
    fine_mb = (tmp_path / "fine.html").stat().st_size / 1e6
    monkeypatch.setattr(viewer, "MAX_PAGE_MB", fine_mb - 0.05)
    write_viewer(tmp_path / "coarse.html", [ViewerLayer("CT", noisy)])
    assert (tmp_path / "coarse.html").stat().st_size / 1e6 < fine_mb - 0.05 + 0.02  # the template itself: 10 kB
    fine, coarse = page_data(tmp_path / "fine.html"), page_data(tmp_path / "coarse.html")
    assert "voxels are those of the files" in fine["encoding"]
    assert "times as large as in the files" in coarse["encoding"]
    image = embedded(coarse["layers"][0])
    assert image.shape < noisy.shape
    # The same box: its middle and its size.
    middle = image.affine @ [*(np.array(image.shape) - 1) / 2, 1]
    np.testing.assert_allclose(middle[:3], [0, 0, 0], atol=1e-4)
    np.testing.assert_allclose(np.diag(image.affine)[:3] * image.shape, 41, atol=1e-4)


def test_the_mesh_is_in_the_page_with_its_colours(tmp_path: Path) -> None:
    ball = colored_ball()
    write_viewer(tmp_path / "page.html", [ViewerLayer("CT", solid(sphere(12.0)))], ball)
    content = gzip.decompress(base64.b64decode(page_data(tmp_path / "page.html")["mesh"]["mz3"]))
    magic, attributes, n_faces, n_points, skip = struct.unpack("<HHIII", content[:16])
    assert (magic, attributes, skip) == (23117, 1 | 2 | 4, 0)
    assert (n_faces, n_points) == (len(ball.faces), len(ball.points_mm))
    points = np.frombuffer(content, "<f4", 3 * n_points, 16 + 12 * n_faces).reshape(-1, 3)
    np.testing.assert_allclose(points, ball.points_mm, atol=0.006)
    assert content[-4:] == bytes([200, 30, 30, 255])


def test_text_from_outside_cannot_end_the_page(tmp_path: Path) -> None:
    hostile = "</script><script>alert(1)</script> @@NIIVUE@@"
    layers = [ViewerLayer(hostile, solid(sphere(12.0)))]
    write_viewer(tmp_path / "page.html", layers, title=hostile, note=hostile, figures=[(hostile, hostile)])
    data = page_data(tmp_path / "page.html")
    assert data["layers"][0]["name"] == data["note"] == hostile
    assert "<script>alert" not in (tmp_path / "page.html").read_text()


def test_the_page_says_what_it_is_and_carries_niivues_licence(tmp_path: Path) -> None:
    write_viewer(tmp_path / "page.html", [ViewerLayer("CT", solid(sphere(12.0)))])
    text = (tmp_path / "page.html").read_text()
    assert "Research software, not a medical device" in text
    assert "BSD 2-Clause License" in text
    assert "Redistribution and use" in text


def test_mistakes_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ball = solid(sphere(12.0))
    with pytest.raises(SctError, match="CT: empty window 5 to 5"):
        write_viewer(tmp_path / "page.html", [ViewerLayer("CT", ball, cal_min=5.0, cal_max=5.0)])
    monkeypatch.setattr(niivue, "ENCODED_MODULE", re.compile("never there"))
    niivue.load_niivue.cache_clear()
    with pytest.raises(SctError, match=r"ipyniivue .* carries no stand-alone NiiVue"):
        write_viewer(tmp_path / "page.html", [ViewerLayer("CT", ball)])
    assert not list(tmp_path.iterdir())


@needs_browser
def test_a_browser_shows_volumes_and_mesh_without_network(tmp_path: Path) -> None:
    """A layer that is opaque and larger than the mesh does not hide it; what lies in front is on the left."""
    layers = [
        ViewerLayer("MR", solid(shell(8.0, 14.0)), "gray", -500.0, 1500.0),
        ViewerLayer("Synthetic CT", solid(shell(8.0, 17.0)), "gray", -500.0, 1500.0),
        ViewerLayer("Uncertainty", solid(union(sphere(6.0), sphere(6.0, (0, 14, 0)))), "viridis", 300.0, 900.0),
    ]
    write_viewer(tmp_path / "page.html", layers, colored_ball(), title="A ball", figures=[("Within", "86 %")])
    seen = open_page(tmp_path / "page.html")
    assert seen.state("state") == "ready", seen.messages
    assert (seen.state("volumes"), seen.state("meshes")) == ("3", "1")
    assert not [line for line in seen.messages if "Content Security" in line or "Failed to load" in line]
    footer = re.search(r'<span id="location">(.*?)</span>', seen.dom)
    assert footer
    # In the middle: the first layer is air (clipped at -1000 HU), the third 6 mm deep at 200 HU a mm.
    place, mr_hu, _, uncertainty = re.split(r" {4}", footer.group(1))
    assert re.match(r"R -?0\.\d  A -?0\.\d  S -?0\.\d mm", place)
    assert float(mr_hu.removeprefix("MR ")) == pytest.approx(-1000, abs=4)
    assert float(uncertainty.removeprefix("Uncertainty ")) == pytest.approx(1500, abs=110)  # within half a voxel
    view = seen.pixels[60:640, 340:]
    gray = (np.ptp(view, axis=2) < 0.05) & (view.mean(axis=2) > 0.4)
    red = (view[..., 0] > 0.2) & (view[..., 1] < 0.5 * view[..., 0]) & (view[..., 2] < 0.5 * view[..., 0])
    yellow = (view[..., :2].min(axis=2) > 0.5) & (view[..., 2] < 0.4)
    assert gray.mean() > 0.02, "the shell in the planes"
    assert yellow.mean() > 0.005, "the third layer"
    rows, columns = np.nonzero(red)
    assert min(rows) > 250, "the mesh is in the lower panel, in 3-D"
    assert min(columns) > 280, "and on the right"
    ellipse = np.pi / 4 * np.ptp(rows) * np.ptp(columns)
    assert red.sum() == pytest.approx(ellipse, rel=0.1), "a solid ball, without holes and covers"
    sagittal = yellow[:250, 320:], gray[:250, 320:]
    front, head = (np.nonzero(part)[1] for part in sagittal)
    assert front.mean() < (head.min() + head.max()) / 2 - 5, "the nose is on the left"


@needs_browser
def test_a_page_that_cannot_be_shown_says_so(tmp_path: Path) -> None:
    write_viewer(tmp_path / "page.html", [ViewerLayer("MR", solid(sphere(8.0)))])
    text = (tmp_path / "page.html").read_text()
    (tmp_path / "page.html").write_text(re.sub(r'"nifti": "[^"]*"', '"nifti": "AAAA"', text))
    seen = open_page(tmp_path / "page.html")
    assert seen.state("state") == "failed"
    assert "could not be shown" in seen.dom

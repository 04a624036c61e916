"""The door sct.surface: what it writes, prints and refuses."""

import json
from importlib import metadata
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
import trimesh
from doors import Doors

from sct.core.volume import Volume
from sct.io.volumes import write_volume
from sct.surfaces import niivue, views

OUTPUTS = {
    *(f"{name}{suffix}" for name in ("reference", "test") for suffix in (".stl", ".ply", "_deviation.ply")),
    "heatmap.png",
    "viewer.html",
    "surface.json",
}


def ball(radius_mm: float) -> Volume:
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[:3, 3] = -16
    distance = np.linalg.norm(np.stack(np.meshgrid(*[np.arange(33) - 16.0] * 3, indexing="ij")), axis=0) - radius_mm
    return Volume(np.clip(300 - 200 * distance, -1000, 1500).astype(np.float32), affine)


@pytest.fixture
def heads(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> Doors:
    """ct.nii.gz and sct.nii.gz, 1 mm larger, in the folder; the picture without a process for VTK."""
    write_volume(ball(10.0), doors.folder / "ct.nii.gz")
    write_volume(ball(11.0), doors.folder / "sct.nii.gz")
    monkeypatch.setattr(views, "_render_with_vtk", lambda mesh, size_px: None)
    return doors


def test_all_files_are_written_and_tell_the_known_deviation(heads: Doors) -> None:
    labels = np.ones((33, 33, 33), dtype=np.uint8)
    labels[16:] = 2
    write_volume(Volume(labels, ball(1.0).affine), heads.folder / "parts.nii.gz")
    (heads.folder / "parts.tsv").write_text("index\tname\n1\tleft half\n2\tright half\n")
    answer = heads("surface", "ct.nii.gz", "sct.nii.gz", "out", "--regions", "parts.nii.gz", "--tolerance-mm", "0.5")
    assert answer.code == 0, answer.err
    out = heads.folder / "out"
    assert {path.name for path in out.iterdir()} == OUTPUTS
    report = json.loads((out / "surface.json").read_text())
    for direction in ("reference_to_test", "test_to_reference"):
        assert report[direction]["per_vertex"]["mean_mm"] == pytest.approx(1.0, abs=0.05)
        assert report[direction]["per_vertex"]["share_within_tolerance"] == 0
        assert set(report[direction]["regions"]) == {"left half", "right half"}
    assert report["print"]["reference"]["watertight"]
    assert report["heat_map_renderer"] == "splats"
    assert trimesh.load(out / "test.stl").volume == pytest.approx(4 / 3 * np.pi * 11**3, rel=0.02)
    colors = trimesh.load(out / "reference_deviation.ply").visual.vertex_colors
    assert (colors[:, 2].astype(int) > colors[:, 0]).all(), "too much bone is blue"
    assert "reference -> test, per vertex" in answer.out
    assert "right half" in answer.out
    assert "reference.stl: watertight, 1 pieces, 0 cavities" in answer.out


def test_results_may_go_into_the_current_folder_and_name_no_file(heads: Doors) -> None:
    assert heads("surface", "ct.nii.gz", "sct.nii.gz", ".").code == 0
    assert {path.name for path in heads.folder.iterdir()} == OUTPUTS | {"ct.nii.gz", "sct.nii.gz"}
    assert "nii.gz" not in (heads.folder / "surface.json").read_text()  # a file's name may be a patient's


def test_smoothing_and_decimation_change_the_print_only(heads: Doors) -> None:
    assert heads("surface", "ct.nii.gz", "sct.nii.gz", "plain").code == 0
    assert heads("surface", "ct.nii.gz", "sct.nii.gz", "print", "--smooth", "--decimate", "0.5").code == 0
    plain, changed = (json.loads((heads.folder / name / "surface.json").read_text()) for name in ("plain", "print"))
    assert changed["reference_to_test"] == plain["reference_to_test"]
    n_plain, n_changed = (report["print"]["test"]["n_triangles"] for report in (plain, changed))
    assert n_changed < 0.6 * n_plain
    assert trimesh.load(heads.folder / "print" / "test.stl").is_watertight


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.nii.gz", "sct.nii.gz", "out"], "none.nii.gz: no such file"),
        (["ct.nii.gz", "sct.nii.gz", "out", "--bone-hu", "2000"], "ct.nii.gz: no bone"),
        (["ct.nii.gz", "air.nii.gz", "out"], "air.nii.gz: no bone"),
        (["ct.nii.gz", "far.nii.gz", "out"], "far.nii.gz: no bone of the first lies inside the second"),
        (["ct.nii.gz", "broken.nii.gz", "out"], "broken.nii.gz"),
        (["ct.nii.gz", "sct.nii.gz", "ct.nii.gz"], "ct.nii.gz: is a file"),
        (["ct.nii.gz", "sct.nii.gz", "ct.nii.gz/out"], "cannot be written"),
        (["ct.nii.gz", "sct.nii.gz", "out", "--tolerance-mm", "0"], "--tolerance-mm 0: must be above 0"),
        (["ct.nii.gz", "sct.nii.gz", "out", "--tolerance-mm", "nan"], "--tolerance-mm nan: must be above 0"),
        (["ct.nii.gz", "sct.nii.gz", "out", "--min-part-mm3", "nan"], "--min-part-mm3 nan: must be a number, 0 or"),
        (["ct.nii.gz", "sct.nii.gz", "out", "--fill-cavity-mm3", "inf"], "--fill-cavity-mm3 inf: must be a number"),
        (["ct.nii.gz", "sct.nii.gz", "out", "--regions", "sct.nii.gz"], "not whole numbers"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing_behind(heads: Doors, words: list[str], message: str) -> None:
    far = ball(10.0)
    shift = np.eye(4)
    shift[0, 3] = 400
    write_volume(Volume(far.data, shift @ far.affine), heads.folder / "far.nii.gz")
    write_volume(Volume(np.full((8, 8, 8), -1000, dtype=np.int16), np.eye(4)), heads.folder / "air.nii.gz")
    (heads.folder / "broken.nii.gz").write_bytes((heads.folder / "ct.nii.gz").read_bytes()[:500])
    before = sorted(path.name for path in heads.folder.iterdir())
    answer = heads("surface", *words)
    assert answer.code == 1
    assert message in answer.error
    assert sorted(path.name for path in heads.folder.iterdir()) == before


def test_a_failure_half_way_leaves_the_old_results(heads: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    assert heads("surface", "ct.nii.gz", "sct.nii.gz", "out").code == 0
    before = {path.name: path.read_bytes() for path in (heads.folder / "out").iterdir()}

    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sct.surfaces.results.write_viewer", full_disk)
    answer = heads("surface", "ct.nii.gz", "sct.nii.gz", "out", "--bone-hu", "400")
    assert "No space left on device" in answer.error
    assert {path.name: path.read_bytes() for path in (heads.folder / "out").iterdir()} == before
    assert not [path for path in heads.folder.iterdir() if path.name.startswith(".")]


def test_a_missing_viewer_package_is_told_before_the_work(heads: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    niivue.load_niivue.cache_clear()
    monkeypatch.setattr(niivue.metadata, "distribution", missing)
    monkeypatch.setattr("sct.io.volumes.read_volume", lambda path: pytest.fail("work began"))
    assert "ipyniivue is not installed" in heads("surface", "ct.nii.gz", "sct.nii.gz", "out").error
    assert not (heads.folder / "out").exists()


def test_the_picture_shows_the_surface(heads: Doors) -> None:
    assert heads("surface", "ct.nii.gz", "sct.nii.gz", "out").code == 0
    pixels = matplotlib.image.imread(heads.folder / "out" / "heatmap.png")[..., :3]
    bluish = pixels[..., 2] > pixels[..., 0] + 0.05
    assert bluish.mean() > 0.2


def test_help_names_the_files(doors: Doors) -> None:
    answer = doors("surface", "--help")
    assert answer.code == 0
    for word in ("reference", "--bone-hu", "--tolerance-mm", "surface.json"):
        assert word in answer.out.lower()


def test_the_path_of_the_door_is_not_needed(heads: Doors, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "er"
    assert heads("surface", "ct.nii.gz", "sct.nii.gz", str(target)).code == 0
    assert (target / "surface.json").is_file()

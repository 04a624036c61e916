"""The door `sct.predict`: files in, files out, and every mistake in one line."""

import base64
import gzip
import json
import re
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest
import torch
from dicom_making import write_series

from sct.core.sums import SumsTable
from sct.core.volume import Volume
from sct.io.volumes import read_volume
from sct.models.light_unet import LightUNet
from sct.preparation.settings import PrepareSettings
from sct.preparation.store import SliceStore

SHAPE, SPACING_MM = (22, 26, 24), 4.0
PREPARE = PrepareSettings(spacing_mm=SPACING_MM, size_px=32).to_plain()
OUTPUTS = {"s.nii.gz", "s_uncertainty.nii.gz", "s_preview.png", "s.json"}


def affine():
    matrix = np.diag([-SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
    matrix[:3, 3] = 10, -20, 30
    return matrix


def head(values):
    """Scalp, skull, brain, air."""
    grid = np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in SHAPE], indexing="ij")
    r = np.sqrt(sum((axis / half) ** 2 for axis, half in zip(grid, (8.5, 10.5, 9.5), strict=True)))
    noise = np.abs(np.random.default_rng(0).normal(0, 15, SHAPE))
    return np.select([r < 0.7, r < 0.9, r < 1], values[:3], values[3]) + noise


def save(path, data, matrix=None):
    nib.save(nib.Nifti1Image(np.asarray(data, np.float32), affine() if matrix is None else matrix), path)
    return path


def checkpoint(path, seed=0, **changes):
    torch.manual_seed(seed)
    network = LightUNet((4, 8))
    hyper_parameters = {
        "model": {"_target_": "sct.models.light_unet.LightUNet", "widths": [4, 8]},
        "prepare": PREPARE,
        "domain": {},
        "sct_version": "0",
        **changes,
    }
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": state, "hyper_parameters": hyper_parameters}, path)
    return path


@pytest.fixture
def scene(doors):
    """An MR, its CT and two checkpoints in the folder."""
    save(doors.folder / "mr.nii.gz", head((700, 250, 900, 0)))
    save(doors.folder / "ct.nii.gz", head((40, 1100, 20, -1000)))
    checkpoint(doors.folder / "a.ckpt")
    checkpoint(doors.folder / "b.ckpt", seed=1)
    return doors


def made(doors):
    return {path.name for path in (doors.folder / "out").iterdir()} if (doors.folder / "out").exists() else set()


def test_one_checkpoint_writes_everything_on_the_mrs_own_grid(scene):
    answer = scene("predict", "mr.nii.gz", "out/s.nii.gz", "--checkpoint", "a.ckpt")
    assert answer.code == 0, answer.err
    assert made(scene) == OUTPUTS | {"s_viewer.html"}
    image = nib.load(scene.folder / "out/s.nii.gz")
    assert image.get_data_dtype() == np.int16
    assert image.shape == SHAPE
    assert np.allclose(image.affine, affine())
    hu = np.asarray(image.dataobj)
    assert hu[0, 0, 0] == -1000
    assert hu.max() <= 1500
    uncertainty = nib.load(scene.folder / "out/s_uncertainty.nii.gz")
    assert np.allclose(uncertainty.affine, affine())
    assert uncertainty.get_fdata().min() == 0
    record = json.loads((scene.folder / "out/s.json").read_text())
    assert record["input"]["shape"] == list(SHAPE)
    assert record["checkpoints"][0]["sha256"]
    shares = record["uncertainty_hu"]["share_of_head_by_planes"]
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["3"] > 0.8 > 0.2 > shares["1"]
    assert record["prepare"]["size_px"] == 32
    assert str(scene.folder) not in json.dumps(record)
    assert "mr.nii.gz" not in json.dumps(record)
    for line in record["warnings"]:
        assert f"warning: {line}" in answer.err


@pytest.mark.parametrize("name", ["s.nii", "s.mha", "s.nrrd"])
def test_formats_hold_the_same_volume(scene, name):
    words = ("predict", "mr.nii.gz", "out/s.nii.gz", "--checkpoint", "a.ckpt", "--no-viewer", "--planes", "axial")
    assert scene(*words).code == 0
    assert scene(*(word if word != "out/s.nii.gz" else f"out/{name}" for word in words)).code == 0
    one, other = read_volume(scene.folder / "out/s.nii.gz"), read_volume(scene.folder / "out" / name)
    assert np.array_equal(one.data, other.data)
    assert np.allclose(one.affine, other.affine, atol=1e-4)


def test_reference_adds_scores_and_the_mask_effect(scene):
    words = ("--checkpoint", "a.ckpt", "--checkpoint", "b.ckpt", "--reference", "ct.nii.gz", "--no-viewer")
    answer = scene("predict", "mr.nii.gz", "out/s.nii.gz", *words, "--fusion", "bone_weighted", "--mask", "none")
    assert answer.code == 0, answer.err
    assert "-500" in answer.out
    record = json.loads((scene.folder / "out/s.json").read_text())
    assert set(record["scores"]["protocols"]) == {"slices", "synthrad", "bone"}
    assert record["scores"]["ct_mask"]["protocols"]["synthrad"]["fused"]["mae_hu"] > 0
    assert record["uncertainty_hu"]["mean_between_checkpoints"] > 0
    assert record["mask"]["source"] == "none"
    assert record["uncertainty_hu"]["share_of_head_by_planes"] == {"1": 0, "2": 0, "3": 1}  # every slice is whole
    assert len(record["checkpoints"]) == 2


def test_dicom_reads_back_as_the_same_volume(scene):
    words = ("--checkpoint", "a.ckpt", "--no-viewer", "--planes", "axial", "--dicom", "out/series")
    answer = scene("predict", "mr.nii.gz", "out/s.nii.gz", *words)
    assert answer.code == 0, answer.err
    assert made(scene) == OUTPUTS | {"series"}
    one, other = (read_volume(scene.folder / "out" / name).to_ras() for name in ("s.nii.gz", "series"))
    assert np.allclose(one.affine, other.affine, atol=1e-3)
    assert np.array_equal(one.data, other.data)


def test_the_viewers_difference_is_red_where_the_synthetic_ct_is_darker(scene):
    words = ("--checkpoint", "a.ckpt", "--reference", "ct.nii.gz", "--planes", "axial")
    assert scene("predict", "mr.nii.gz", "out/s.nii.gz", *words).code == 0
    page = (scene.folder / "out/s_viewer.html").read_text()
    data = json.loads(re.search(r'id="page-data">(.*?)</script>', page, re.DOTALL).group(1))
    layer = next(layer for layer in data["layers"] if layer["name"] == "CT - synthetic CT")
    assert (layer["colormap"], layer["cal_min"], layer["cal_max"]) == ("blue2red", -500, 500)
    shown = nib.Nifti1Image.from_bytes(gzip.decompress(base64.b64decode(layer["nifti"]))).get_fdata()
    ct, sct = (np.clip(nib.load(scene.folder / name).get_fdata(), -500, 1500) for name in ("ct.nii.gz", "out/s.nii.gz"))
    assert np.abs(shown - (ct - sct)).max() < 4  # steps of the layer's window
    assert "inner air saturates at -500 HU" in page


def test_the_technique_that_a_dicom_header_names_is_compared(scene):
    domain = {"techniques": ["ZTE"], "mr_depth_histograms": {"ZTE": [[[1 / 64] * 64] * 4]}, "histogram_threshold": 9.0}
    domain |= {"mr_histogram": [1 / 256] * 256, "mr_gray_p75": [0, 1], "cut_shares": {}}
    domain |= {"fov_mm": [50, 150], "spacing_mm": SPACING_MM}
    checkpoint(scene.folder / "zte.ckpt", domain=domain)
    mr = Volume(head((700, 250, 900, 0)), affine())
    for echo_ms, technique in (("0.02", "ZTE"), ("1.2", "GRE"), ("90", "none of ZTE, UTE and GRE"), ("0.03", "CT")):
        write_series(scene.folder / echo_ms, mr, modality="CT" if technique == "CT" else "MR", EchoTime=echo_ms)
        words = ("--checkpoint", "zte.ckpt", "--no-viewer", "--planes", "axial")
        answer = scene("predict", echo_ms, f"out/{echo_ms}.nii.gz", *words)
        assert answer.code == 0, answer.err
        record = json.loads((scene.folder / f"out/{echo_ms}.json").read_text())
        assert record["domain"]["technique"] == technique
        assert ("header reads as" in answer.err) == (technique != "ZTE")


def test_crops_of_native_pixels_train_and_predict(tiny):
    """A head of 24 pixels in crops of 16: cut, trained, tested and scored, then a new MR in blended windows."""
    words = ["prepare.frame=patch", "prepare.size_px=16", "fold=0", "trainer.max_epochs=1", "metrics.rows=slice"]
    answer = tiny.run(*words, "evaluate=volume")
    assert answer.code == 0, answer.err
    store = SliceStore(tiny.folder / "data/phantom/store-patch-16px-8mm")
    split = json.loads((tiny.cell() / "split.json").read_text())
    (tested,) = split["test"]
    record = store.participant(tested)
    slices = set(zip(record.planes.tolist(), record.indices.tolist(), strict=True))
    assert split["test"][tested] == record.n_slices > 2 * len(slices)  # counts are of crops
    sums = SumsTable.read_csv(tiny.cell() / "sums.csv")
    assert len(sums.rows) == len(slices)  # a row for a slice, whatever its crops
    assert sums.pooled()["mask_n"] == np.count_nonzero(record.data[2])
    scores = json.loads((tiny.cell() / "volumes.json").read_text())[tested]
    assert scores["protocols"]["slices"]["planes"]["n_slices"] == pytest.approx(record.n_slices, rel=0.1)
    mr = tiny.folder / f"data/phantom/cohort/{tested}/mr.nii.gz"
    answer = tiny("predict", mr, "out/s.nii.gz", "--checkpoint", tiny.cell() / "best.ckpt", "--no-viewer")
    assert answer.code == 0, answer.err
    assert nib.load(tiny.folder / "out/s.nii.gz").shape == nib.load(mr).shape
    assert json.loads((tiny.folder / "out/s.json").read_text())["prepare"]["frame"] == "patch"


def test_an_input_is_never_replaced(scene):
    save(scene.folder / "s_uncertainty.nii.gz", head((1, 1, 1, 0)))
    before = {path.name: path.read_bytes() for path in scene.folder.iterdir()}
    for words in (
        ["mr.nii.gz", "mr.nii.gz"],
        ["mr.nii.gz", "../" + scene.folder.name + "/ct.nii.gz", "--reference", "ct.nii.gz"],
        ["mr.nii.gz", "s.nii.gz", "--mask", "s_uncertainty.nii.gz"],
    ):
        assert "would replace the input" in scene("predict", *words, "--checkpoint", "a.ckpt").error
    assert {path.name: path.read_bytes() for path in scene.folder.iterdir()} == before


def test_a_dicom_folder_filled_meanwhile_is_left_alone(scene, monkeypatch):
    """Another program writes into the folder while the network predicts."""
    import sct.synthesis.outputs as outputs

    real = outputs.synthesize

    def slowly(*arguments):
        (scene.folder / "series").mkdir()
        (scene.folder / "series/scan.dcm").write_text("theirs")
        return real(*arguments)

    monkeypatch.setattr(outputs, "synthesize", slowly)
    words = ("--checkpoint", "a.ckpt", "--no-viewer", "--planes", "axial", "--dicom", "series")
    assert "series" in scene("predict", "mr.nii.gz", "out/s.nii.gz", *words).error
    assert (scene.folder / "series/scan.dcm").read_text() == "theirs"
    assert made(scene) == set()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mr.nii.gz", "out/s.nii.gz", "--dicom", "out/s.nii.gz"], "--dicom out/s.nii.gz: "),
        (["mr.nii.gz", "out/s.nii.gz", "--dicom", "out/s.json"], "--dicom out/s.json: "),
        (["mr.nii.gz", "out/s.nii.gz", "--dicom", "out/s.nii.gz/series"], "--dicom out/s.nii.gz/series: "),
        (["mr.nii.gz", "out/s.nii.gz", "--dicom", "out"], "goes there"),
        (["mr.nii.gz", "out/deep/s.nii.gz", "--dicom", "out/../out"], "goes there"),
        (["scan", "out/s.nii.gz", "--dicom", "scan/sct"], "lies in the MR's folder scan"),
        (["mr.nii.gz", "way/s.nii.gz"], "way/s_preview.png: is a folder"),
        (["mr.nii.gz", "/proc/none/s.nii.gz"], "/proc/none: cannot be written"),
    ],
)
def test_places_that_cannot_take_the_results_are_named_before_predicting(scene, monkeypatch, words, said):
    import sct.synthesis.outputs as outputs

    monkeypatch.setattr(outputs, "read_volume", None)  # not even the MR is read
    (scene.folder / "way/s_preview.png").mkdir(parents=True)
    (scene.folder / "scan").mkdir()
    before = sorted(scene.folder.rglob("*"))
    assert said in scene("predict", *words, "--checkpoint", "a.ckpt").error
    assert sorted(scene.folder.rglob("*")) == before


def test_a_network_of_ones_own_predicts_once_its_package_is_allowed(scene, monkeypatch):
    monkeypatch.syspath_prepend(scene.folder)
    (scene.folder / "mynets.py").write_text("from sct.models.light_unet import LightUNet\nclass Mine(LightUNet): ...\n")
    checkpoint(scene.folder / "own.ckpt", model={"_target_": "mynets.Mine", "widths": [4, 8]})
    words = ("predict", "mr.nii.gz", "out/s.nii.gz", "--checkpoint", "own.ckpt", "--no-viewer", "--planes", "axial")
    error = scene(*words).error
    assert "own.ckpt: model _target_ 'mynets.Mine' is not in sct" in error
    assert "add --allow mynets" in error
    assert "mynets" not in sys.modules
    assert scene(*words, "--allow", "mynets").code == 0
    assert made(scene) == OUTPUTS
    assert "add --allow mynets" in scene("export", "own.ckpt", "own.onnx").error
    assert scene("export", "own.ckpt", "own.onnx", "--allow", "other", "--allow", "mynets").code == 0
    assert (scene.folder / "own.onnx").exists()


def test_old_outputs_are_replaced_and_others_left(scene):
    (scene.folder / "out").mkdir()
    (scene.folder / "out/s.nii.gz").write_text("old")
    (scene.folder / "out/other.txt").write_text("mine")
    assert scene("predict", "mr.nii.gz", "out/s.nii.gz", "--checkpoint", "a.ckpt", "--no-viewer").code == 0
    assert made(scene) == OUTPUTS | {"other.txt"}
    assert (scene.folder / "out/other.txt").read_text() == "mine"
    assert read_volume(scene.folder / "out/s.nii.gz").shape == SHAPE


def bad_mr(kind):
    data = head((700, 250, 900, 0))
    return {
        "nan": np.where(data > 800, np.nan, data),
        "constant": np.full(SHAPE, 7.0),
        "2-D": data[:, :, 0],
        "4-D": np.stack([data, data], -1),
        "small": data[:10, :10, :10],
    }[kind]


@pytest.mark.parametrize("kind", ["nan", "constant", "2-D", "4-D", "small"])
def test_a_bad_mr_is_named_and_nothing_is_written(scene, kind):
    save(scene.folder / "bad.nii.gz", bad_mr(kind))
    assert "bad.nii.gz" in scene("predict", "bad.nii.gz", "out/s.nii.gz", "--checkpoint", "a.ckpt").error
    assert made(scene) == set()


def test_voxels_of_a_tenth_of_a_millimetre_are_refused(scene):
    save(scene.folder / "bad.nii.gz", head((700, 250, 900, 0)), np.diag([0.1, 0.1, 0.1, 1]))
    assert "0.1" in scene("predict", "bad.nii.gz", "out/s.nii.gz", "--checkpoint", "a.ckpt").error
    assert made(scene) == set()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gone.nii.gz", "out/s.nii.gz", "--checkpoint", "a.ckpt"], "gone.nii.gz"),
        (["mr.nii.gz", "out/s.jpg", "--checkpoint", "a.ckpt"], "s.jpg"),
        (["mr.nii.gz", "out/s.nii.gz", "--checkpoint", "gone.ckpt"], "gone.ckpt"),
        (["mr.nii.gz", "out/s.nii.gz", "--checkpoint", "mr.nii.gz"], "mr.nii.gz"),
        (["mr.nii.gz", "out/s.nii.gz", "--checkpoint", "bare.ckpt"], "bare.ckpt"),
        (["mr.nii.gz", "out/s.nii.gz", "--checkpoint", "unprepared.ckpt"], "prepare"),
        (["mr.nii.gz", "out/s.nii.gz", "--checkpoint", "a.ckpt", "--checkpoint", "wide.ckpt"], "prepare.window"),
        (["mr.nii.gz", "out/s.nii.gz", "--checkpoint", "a.ckpt", "--device", "tpu9"], "--device"),
        (["mr.nii.gz", "out/s.nii.gz", "--checkpoint", "a.ckpt", "--mask", "gone.mha"], "gone.mha"),
        (["mr.nii.gz", "out/s.nii.gz", "--checkpoint", "a.ckpt", "--reference", "mr.nii.gz"], "Hounsfield"),
        (["mr.nii.gz", "out/s.nii.gz", "--checkpoint", "a.ckpt", "--reference", "far.nii.gz"], "far.nii.gz"),
        (["mr.nii.gz", "out/s.nii.gz", "--checkpoint", "a.ckpt", "--dicom", "full"], "full"),
        (
            ["sheared.nii.gz", "out/s.nii.gz", "--checkpoint", "a.ckpt", "--dicom", "series"],
            "sheared.nii.gz: the volume's",
        ),
        (["mr.nii.gz", "out/s.nii.gz", "--checkpoint", "a.ckpt", "--device", "meta"], "--device meta"),
        (["mr.nii.gz", "a.ckpt/out/s.nii.gz", "--checkpoint", "a.ckpt"], "a.ckpt"),
    ],
)
def test_mistakes_are_one_line_and_nothing_is_written(scene, words, said):
    torch.save({"state_dict": {}}, scene.folder / "bare.ckpt")
    checkpoint(scene.folder / "unprepared.ckpt", prepare={})
    checkpoint(scene.folder / "wide.ckpt", prepare={**PREPARE, "window": {"level_hu": 500.0, "width_hu": 3000.0}})
    far = affine()
    far[:3, 3] += 800
    save(scene.folder / "far.nii.gz", head((40, 1100, 20, -1000)), far)
    sheared = affine()
    sheared[0, 2] = 1
    save(scene.folder / "sheared.nii.gz", head((700, 250, 900, 0)), sheared)
    (scene.folder / "full").mkdir()
    (scene.folder / "full/scan.dcm").write_text("")
    answer = scene("predict", *words)
    assert answer.code == 1
    assert said in answer.error
    assert made(scene) == set()


def test_usage_errors_are_typers(scene):
    assert scene("predict", "mr.nii.gz").code == 2
    assert scene("predict", "mr.nii.gz", "s.nii.gz").code == 2
    assert scene("predict", "mr.nii.gz", "s.nii.gz", "--checkpoint", "a.ckpt", "--fusion", "vote").code == 2


def test_a_failure_while_writing_leaves_nothing(scene, monkeypatch):
    """The disk fills up at the last file."""
    import sct.synthesis.outputs as outputs

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(outputs, "write_preview", full)
    answer = scene("predict", "mr.nii.gz", "out/s.nii.gz", "--checkpoint", "a.ckpt")
    assert "No space left" in answer.error
    assert made(scene) == set()


def test_the_door_imports_nothing_heavy():
    code = "import sys, sct.predict; print(sorted({'torch', 'numpy', 'monai', 'matplotlib'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"

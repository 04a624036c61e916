"""ONNX files against onnxruntime, and checkpoints that cannot be exported."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from sct.baselines import Threshold
from sct.core.errors import SctError
from sct.export import export_onnx
from sct.models.light_unet import LightUNet
from sct.models.smp import SmpModel
from sct.models.vgg_unet import VggUNet
from sct.synthesis.notes import DISCLAIMER

PREPARE = {"window": {"level_hu": 400.0, "width_hu": 1600.0}, "spacing_mm": 1.5, "size_px": 96}


def write_checkpoint(path: Path, network: nn.Module, target: str, **arguments: object) -> Path:
    """A checkpoint as training writes it."""
    hyper_parameters = {
        "model": {"_target_": target, **arguments},
        "prepare": PREPARE,
        "domain": {"techniques": ["ZTE"]},
        "sct_version": "0.1.0",
    }
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": state, "hyper_parameters": hyper_parameters}, path)
    return path


def light(path: Path) -> tuple[Path, nn.Module]:
    torch.manual_seed(0)
    network = LightUNet((4, 8, 16, 16, 16))
    with torch.no_grad():  # running statistics that are not the default ones
        network(torch.rand(4, 1, 64, 64))
    target = "sct.models.light_unet.LightUNet"
    return write_checkpoint(path, network, target, widths=[4, 8, 16, 16, 16]), network.eval()


def vgg(path: Path) -> tuple[Path, nn.Module]:
    torch.manual_seed(0)
    network = VggUNet()
    # The file that the encoder started from is gone: it must not be needed.
    return write_checkpoint(path, network, "sct.models.vgg_unet.VggUNet", encoder_weights="gone.pth"), network.eval()


def smp(path: Path) -> tuple[Path, nn.Module]:
    torch.manual_seed(0)
    network = SmpModel("unet", "resnet18")
    arguments = {"arch": "unet", "encoder": "resnet18", "encoder_weights": "imagenet"}
    return write_checkpoint(path, network, "sct.models.smp.SmpModel", **arguments), network.eval()


@pytest.mark.parametrize("make", [light, vgg, smp])
@torch.no_grad()
def test_onnxruntime_agrees_for_any_batch_and_size(tmp_path: Path, make) -> None:
    checkpoint, network = make(tmp_path / "best.ckpt")
    out = tmp_path / "new" / "network.onnx"
    export_onnx(checkpoint, out)
    assert [path.name for path in out.parent.iterdir()] == ["network.onnx"]
    onnx.checker.check_model(str(out), full_check=True)
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    for shape in ((1, 1, 32, 32), (3, 1, 64, 96)):
        mr = torch.rand(shape, generator=torch.Generator().manual_seed(1))
        (sct,) = session.run(["sct"], {"mr": mr.numpy()})
        assert sct.dtype == np.float32
        np.testing.assert_allclose(sct, network(mr).numpy(), atol=1e-3)


def test_metadata_say_how_to_use_it_and_that_it_is_no_medical_device(tmp_path: Path) -> None:
    checkpoint, _ = light(tmp_path / "best.ckpt")
    export_onnx(checkpoint, tmp_path / "network.onnx")
    model = onnx.load(tmp_path / "network.onnx")
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata["disclaimer"] == model.doc_string == DISCLAIMER
    assert metadata["gray_to_hu"] == "HU = -400 + 1600 * sct"
    assert (metadata["window_level_hu"], metadata["window_width_hu"]) == ("400.0", "1600.0")
    assert metadata["spacing_mm"] == "1.5"
    assert json.loads(metadata["prepare"]) == PREPARE
    assert json.loads(metadata["techniques"]) == ["ZTE"]
    assert json.loads(metadata["model"])["_target_"] == "sct.models.light_unet.LightUNet"


def test_classical_methods_are_refused_by_name(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "best.ckpt", Threshold(), "sct.baselines.threshold.Threshold")
    with pytest.raises(SctError, match="classical method Threshold"):
        export_onnx(path, tmp_path / "network.onnx")


def test_output_name_must_say_onnx(tmp_path: Path) -> None:
    with pytest.raises(SctError, match=r"must end in \.onnx"):
        export_onnx(light(tmp_path / "best.ckpt")[0], tmp_path / "network.pt")


def run_door(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "sct.export", *arguments], capture_output=True, text=True)


def test_door_writes_the_file_and_says_one_line(tmp_path: Path) -> None:
    light(tmp_path / "best.ckpt")
    result = run_door(str(tmp_path / "best.ckpt"), str(tmp_path / "network.onnx"))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"{tmp_path / 'network.onnx'}: {DISCLAIMER}\n"


@pytest.mark.parametrize("content", [None, b"", b"<html>404</html>", b"PK\x03\x04 half a checkpoint"])
def test_bad_checkpoint_is_one_line_and_leaves_the_old_file(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "bad.ckpt").write_bytes(content)
    (tmp_path / "network.onnx").write_text("old")
    with pytest.raises(SctError, match=r"bad\.ckpt") as caught:
        export_onnx(tmp_path / "bad.ckpt", tmp_path / "network.onnx")
    assert "\n" not in str(caught.value)
    assert (tmp_path / "network.onnx").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "bad.ckpt") == ["network.onnx"]


def test_door_tells_a_bad_checkpoint_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "bad.ckpt").write_bytes(b"<html>404</html>")
    result = run_door(str(tmp_path / "bad.ckpt"), str(tmp_path / "network.onnx"))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1

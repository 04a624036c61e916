"""Pretrained encoders: both namings, and every kind of bad file, made in the test."""

import os
import pickle
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sct.core.errors import SctError
from sct.models.vgg_unet import VggUNet


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    """VGG-16's tensors by torchvision's names, random, in float16 as small files have them."""
    with torch.random.fork_rng():
        torch.manual_seed(11)
        return {f"features.{name}": torch.randn_like(p).half() for name, p in VggUNet().encoder.state_dict().items()}


def torchvision_naming(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return weights | {"classifier.0.weight": torch.zeros(8, 8), "classifier.0.bias": torch.zeros(8)}


def smp_encoder_naming(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    import segmentation_models_pytorch as smp

    encoder = smp.encoders.get_encoder("vgg16", weights=None)
    encoder.load_state_dict(dict(weights))
    return dict(encoder.state_dict())


def smp_model_naming(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"encoder.{name}": value for name, value in weights.items()} | {"decoder.x.weight": torch.zeros(2)}


@pytest.mark.parametrize("naming", [torchvision_naming, smp_encoder_naming, smp_model_naming])
def test_every_encoder_tensor_is_the_files(tmp_path: Path, weights: dict[str, Tensor], naming) -> None:
    path = tmp_path / "vgg16.pth"
    torch.save(naming(weights), path)
    torch.manual_seed(0)
    random = VggUNet().encoder.state_dict()
    loaded = VggUNet(encoder_weights=str(path)).encoder.state_dict()
    assert len(loaded) == 26
    for name, value in loaded.items():
        assert value.dtype == torch.float32
        assert torch.equal(value, weights[f"features.{name}"].float())
        assert not torch.equal(value, random[name])


def test_only_the_encoder_changes(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    path = tmp_path / "vgg16.pth"
    torch.save(weights, path)
    states = []
    for source in (None, str(path)):
        torch.manual_seed(0)
        states.append(VggUNet(source).state_dict())
    differing = {name for name in states[0] if not torch.equal(states[0][name], states[1][name])}
    assert differing == {name for name in states[0] if name.startswith("encoder.")}


def test_safetensors_of_the_hub(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "model.safetensors"
    save_file(weights, path)
    assert torch.equal(VggUNet(str(path)).encoder.state_dict()["28.bias"], weights["features.28.bias"].float())


def test_a_state_dict_inside_a_checkpoint(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    path = tmp_path / "vgg16.pth"
    torch.save({"state_dict": weights, "epoch": 3}, path)
    assert torch.equal(VggUNet(str(path)).encoder.state_dict()["0.weight"], weights["features.0.weight"].float())


def refusal(path: Path | str) -> str:
    """The one line with which a file is refused."""
    with pytest.raises(SctError) as caught:
        VggUNet(str(path))
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_missing_file(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "none.pth")


def test_folder(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_web_page(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"vgg16{suffix}"
    path.write_text("\n<!DOCTYPE html><html><body>404</body></html>")
    assert "web page" in refusal(path)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.99])
def test_truncated(tmp_path: Path, weights: dict[str, Tensor], suffix: str, kept: float) -> None:
    from safetensors.torch import save_file

    path = tmp_path / f"vgg16{suffix}"
    save_file(weights, path) if suffix == ".safetensors" else torch.save(weights, path)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    assert "damaged or not a weights file" in refusal(path)


class Code:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return (os.mkdir, (str(self.trace),))


@pytest.mark.parametrize("archive", [True, False])
def test_code_in_a_pickle_is_not_run(tmp_path: Path, weights: dict[str, Tensor], archive: bool) -> None:
    path, trace = tmp_path / "vgg16.pth", tmp_path / "trace"
    if archive:
        torch.save(weights | {"extra": Code(trace)}, path)
    else:
        path.write_bytes(pickle.dumps(Code(trace)))
    assert "plain tensors" in refusal(path)
    assert not trace.exists()


def test_whole_module(tmp_path: Path) -> None:
    path = tmp_path / "vgg16.pth"
    torch.save(torch.nn.Linear(1, 1), path)
    assert "state_dict()" in refusal(path)


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, torch.zeros(3)])
def test_no_state_dict(tmp_path: Path, content: object) -> None:
    path = tmp_path / "vgg16.pth"
    torch.save(content, path)
    assert "no state dict" in refusal(path)


def test_other_networks(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    from torchvision.models import vgg11, vgg16_bn, vgg19

    path = tmp_path / "other.pth"
    others = {"features.1.": vgg16_bn, "features.16.": vgg19, "features.3.": vgg11}
    for first_unknown, network in others.items():
        with torch.device("meta"):
            names = [name for name in network().state_dict() if name.startswith("features")]
        torch.save({name: torch.zeros(1) for name in names}, path)
        assert f"has {first_unknown}" in refusal(path)
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, path)
    assert "lacks features.0.weight" in refusal(path)
    torch.save({name: value for name, value in weights.items() if name != "features.28.bias"}, path)
    assert "lacks features.28.bias" in refusal(path)


def test_wrong_shape(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    path = tmp_path / "gray.pth"
    torch.save(weights | {"features.0.weight": torch.zeros(64, 1, 3, 3)}, path)
    assert "(64, 1, 3, 3); VGG-16 has (64, 3, 3, 3)" in refusal(path)


@pytest.mark.parametrize("value", [torch.full((64,), torch.nan), torch.zeros(64, dtype=torch.int64)])
def test_values_that_are_no_weights(tmp_path: Path, weights: dict[str, Tensor], value: Tensor) -> None:
    path = tmp_path / "odd.pth"
    torch.save(weights | {"features.0.bias": value}, path)
    assert "features.0.bias" in refusal(path)


def test_imagenet_without_a_network_says_what_to_bring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub
    import segmentation_models_pytorch.encoders as encoders

    def offline(*args: object, **kwargs: object) -> str:
        raise huggingface_hub.errors.LocalEntryNotFoundError("no connection\nto the hub. Please check and try again.")

    monkeypatch.setattr(encoders, "hf_hub_download", offline)
    message = refusal("imagenet")
    assert "(LocalEntryNotFoundError: no connection to the hub)" in message
    assert "vgg16-397923af.pth" in message
    assert "model.encoder_weights=FILE" in message


def test_imagenet_takes_what_the_hub_gives(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weights: dict[str, Tensor]
) -> None:
    import segmentation_models_pytorch.encoders as encoders
    from safetensors.torch import save_file

    save_file(weights, tmp_path / "model.safetensors")
    asked: list[tuple[str, str]] = []

    def hub(repo_id: str, filename: str, revision: str) -> str:
        asked.append((repo_id, filename))
        return str(tmp_path / filename)

    monkeypatch.setattr(encoders, "hf_hub_download", hub)
    loaded = VggUNet("imagenet").encoder.state_dict()
    assert ("smp-hub/vgg16.imagenet", "model.safetensors") in asked
    for name, value in loaded.items():
        assert torch.equal(value, weights[f"features.{name}"].float())

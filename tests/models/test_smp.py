"""segmentation-models-pytorch behind the contract of our networks."""

import pytest
import torch

from sct.core.errors import SctError
from sct.models.smp import SmpModel


@pytest.fixture(scope="module")
def network() -> SmpModel:
    torch.manual_seed(0)
    return SmpModel("unetplusplus", "resnet18").eval()


@pytest.mark.parametrize(
    "arch",
    ["unet", "manet", "linknet", "fpn", "pspnet", "deeplabv3", "deeplabv3plus", "pan", "upernet", "segformer"],
)
@torch.no_grad()
def test_any_architecture_gives_gray_of_the_same_size(arch: str) -> None:
    gray = torch.rand(1, 1, *((112, 128) if arch == "pan" else (48, 64)))  # PAN pools its 1/16 thrice more
    output = SmpModel(arch, "resnet18").eval()(gray)
    assert output.shape == gray.shape
    assert output.dtype == torch.float32
    assert 0 <= output.min() <= output.max() <= 1


@pytest.mark.slow
@torch.no_grad()
def test_vision_transformer_and_timm_encoder() -> None:
    gray = torch.rand(1, 1, 224, 224)
    assert SmpModel("dpt", "tu-vit_tiny_patch16_224").eval()(gray).shape == gray.shape
    assert SmpModel("unet", "tu-resnet10t").eval()(gray).shape == gray.shape


@torch.no_grad()
def test_padding_equals_padding_by_hand(network: SmpModel) -> None:
    gray = torch.rand(1, 1, 48, 80)
    padded = torch.zeros(1, 1, 64, 96)
    padded[..., :48, :80] = gray
    torch.testing.assert_close(network(gray), network(padded)[..., :48, :80])


@torch.no_grad()
def test_last_convolution_and_sigmoid_are_float32(network: SmpModel) -> None:
    seen: list[torch.dtype] = []
    head = network.network.segmentation_head
    handle = head.register_forward_hook(lambda _, __, output: seen.append(output.dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = network(torch.rand(1, 1, 32, 32))
    handle.remove()
    assert seen == [torch.float32]
    assert output.dtype == torch.float32
    # More than bfloat16's 8 bits are there.
    assert not torch.equal(output, output.bfloat16().float())


def test_first_layer_has_one_channel(network: SmpModel) -> None:
    first = next(m for m in network.modules() if isinstance(m, torch.nn.Conv2d))
    assert first.in_channels == 1


@pytest.mark.parametrize(
    ("arch", "encoder", "weights", "words"),
    [
        ("unetpluspls", "resnet34", None, "model.arch=unetpluspls.*unetplusplus"),
        ("zzz", "resnet34", None, "model.arch=zzz.*there are.*unet"),
        ("unet", "resnet43", None, "model.encoder=resnet43.*did you mean resnet"),
        ("unet", "tu-resnet3", None, "model.encoder=tu-resnet3.*did you mean tu-"),
        ("unet", "resnet18", "imagnet", "model.encoder_weights=imagnet.*null, imagenet"),
        ("unetplusplus", "mit_b0", None, "model.arch=unetplusplus model.encoder=mit_b0"),
    ],
)
def test_wrong_names_are_told_with_the_nearest(arch: str, encoder: str, weights: str | None, words: str) -> None:
    with pytest.raises(SctError, match=words) as caught:
        SmpModel(arch, encoder, weights)
    assert "\n" not in str(caught.value)


def test_weights_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    import segmentation_models_pytorch.encoders as encoders

    def offline(*args: object, **kwargs: object) -> str:
        raise huggingface_hub.errors.LocalEntryNotFoundError("no connection")

    monkeypatch.setattr(encoders, "hf_hub_download", offline)
    with pytest.raises(SctError, match="cannot be fetched"):
        SmpModel("unet", "resnet18", "imagenet")

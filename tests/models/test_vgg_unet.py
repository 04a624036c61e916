"""VGG-16 U-Net against torchvision's VGG-16, the paper's parameter count and the scale that He's init keeps."""

import pytest
import torch
from torch import nn

from sct.models.encoder_weights import IMAGENET_MEAN, IMAGENET_STD
from sct.models.vgg_unet import VggUNet


@pytest.fixture(scope="module")
def network() -> VggUNet:
    torch.manual_seed(0)
    return VggUNet()


def test_number_of_parameters_is_derived(network: VggUNet) -> None:
    vgg16 = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 256)]
    vgg16 += [(256, 512), (512, 512), (512, 512), (512, 512), (512, 512), (512, 512)]
    transposed = [(512, 512), (256, 256), (128, 128), (64, 64)]
    decoder = [(1024, 512), (512, 512), (512, 256), (512, 256), (256, 256), (256, 128)]
    decoder += [(256, 128), (128, 64), (128, 64), (64, 64)]
    expected = sum(9 * n_in * n_out + n_out for n_in, n_out in vgg16 + transposed + decoder)
    expected += sum(2 * n_out for _, n_out in decoder) + 64 + 1
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == expected == 28_657_025


def test_encoder_is_torchvisions_vgg16_without_batch_norm(network: VggUNet) -> None:
    from torchvision.models import vgg16

    with torch.device("meta"):
        reference = vgg16(weights=None).features
    assert [repr(layer) for layer in network.encoder] == [repr(layer) for layer in reference[:-1]]
    assert sum(isinstance(layer, nn.Conv2d) for layer in network.encoder) == 13


def test_decoder_widths_mirror_the_encoder(network: VggUNet) -> None:
    encoder = [(c.in_channels, c.out_channels) for c in network.encoder if isinstance(c, nn.Conv2d)]
    decoder = [
        (c.in_channels, c.out_channels) for up in network.up for c in up.convolutions if isinstance(c, nn.Conv2d)
    ]
    # Reversed and turned round: where the encoder goes 256 -> 512, the decoder goes back to 256. The first of each
    # level also takes the skip; the bottleneck block has no mirror, nor has the step from the three input channels.
    mirrored = [(n_out, n_in) for n_in, n_out in reversed(encoder[:10])]
    assert [n_out for _, n_out in decoder[:-1]] == [n_out for _, n_out in mirrored[:-1]]
    assert [up.up.out_channels for up in network.up] == [up.up.in_channels for up in network.up]


def test_input_is_repeated_and_normalised_as_imagenet_weights_expect(network: VggUNet) -> None:
    from torchvision.transforms.functional import normalize

    seen: list[torch.Tensor] = []
    handle = network.encoder[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    gray = torch.rand(2, 1, 16, 32)
    with torch.no_grad():
        network(gray)
    handle.remove()
    torch.testing.assert_close(seen[0], normalize(gray.repeat(1, 3, 1, 1), IMAGENET_MEAN, IMAGENET_STD))


def test_encoder_keeps_the_scale_of_its_activations() -> None:
    torch.manual_seed(0)
    network = VggUNet()
    scales: list[float] = []
    for layer in network.encoder:
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda _, __, output: scales.append(output.square().mean().sqrt().item()))
    with torch.no_grad():
        network(torch.rand(1, 1, 64, 64))
    assert len(scales) == 13
    # Pooling and the borders move it a little at each layer; without He's factor 2 it would fall by 2**6.5 = 90.
    assert max(scales) / min(scales) < 8


def test_a_few_steps_reduce_the_loss() -> None:
    torch.manual_seed(0)
    network = VggUNet()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, eps=1e-7)
    gray = torch.rand(2, 1, 32, 32)
    target = (gray > 0.5).float()
    losses = []
    for _ in range(6):
        optimiser.zero_grad()
        loss = (network(gray) - target).abs().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.encoder.parameters())
    assert min(losses[-2:]) < 0.85 * losses[0]


@pytest.mark.parametrize("size", [(16, 16), (48, 32)])
def test_output_is_gray_float32_whatever_the_autocast(network: VggUNet, size: tuple[int, int]) -> None:
    network.eval()
    gray = torch.rand(1, 1, *size)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        output = network(gray)
    assert output.dtype == torch.float32
    assert output.shape == gray.shape
    assert 0 <= output.min() <= output.max() <= 1


def test_wrong_size_names_it(network: VggUNet) -> None:
    with pytest.raises(ValueError, match=r"multiples of 16, not \(40, 32\)"):
        network(torch.zeros(1, 1, 40, 32))


def test_same_seed_same_weights() -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        states.append(VggUNet().state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])

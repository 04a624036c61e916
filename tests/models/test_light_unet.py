"""Light U-Net: the paper's size, its output range and precision, equivariance of its geometry."""

import pytest
import torch
from torch import nn

from sct.models.light_unet import LightUNet
from sct.models.vgg_unet import VggUNet


def small():
    torch.manual_seed(0)
    return LightUNet((4, 8, 16)).eval()


def test_has_the_stated_number_of_trainable_parameters():
    assert sum(p.numel() for p in LightUNet().parameters() if p.requires_grad) == 2_161_361


def test_weights_start_from_glorot_and_biases_from_zero():
    torch.manual_seed(0)
    for module in LightUNet().modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            area = module.kernel_size[0] * module.kernel_size[1]
            bound = (6 / (area * (module.in_channels + module.out_channels))) ** 0.5
            assert float(module.weight.detach().abs().max()) <= bound
            if module.weight.numel() > 1000:
                assert float(module.weight.detach().std()) == pytest.approx(bound / 3**0.5, rel=0.1)
            assert not module.bias.any()


def test_batch_norm_bounds_what_a_nearly_constant_channel_becomes():
    """Keras' eps of 1e-3 in both networks: no more than 1 / sqrt(eps) = 31.6 times its input."""
    norms = [m for network in (LightUNet(), VggUNet()) for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) > 20
    for norm in norms:
        norm.running_var.fill_(1e-12)
        assert float(norm.eval()(torch.full((1, norm.num_features, 1, 1), 0.01)).max()) < 0.32


def test_gives_gray_of_the_input_size_for_any_multiple():
    network = LightUNet((2, 2, 2, 2, 2)).eval()
    for size in ((16, 16), (48, 32), (224, 224)):
        gray = network(torch.rand(2, 1, *size))
        assert gray.shape == (2, 1, *size)
        assert gray.dtype == torch.float32
        assert 0 <= float(gray.min()) <= float(gray.max()) <= 1
    with pytest.raises(ValueError, match="multiples of 16"):
        network(torch.rand(1, 1, 24, 16))
    with pytest.raises(ValueError, match="widths"):
        LightUNet((16,))


def test_batched_equals_one_by_one():
    network, mr = small(), torch.rand(3, 1, 32, 32)
    singles = torch.cat([network(mr[k : k + 1]) for k in range(3)])
    torch.testing.assert_close(network(mr), singles, rtol=0, atol=1e-6)


def test_a_shift_by_the_coarsest_stride_shifts_the_output():
    """Strides align encoder and decoder: no offset creeps in between skip and upsampled features."""
    network, mr = small(), torch.zeros(1, 1, 96, 96)
    mr[..., 32:64, 32:64] = torch.rand(32, 32)
    shifted = network(mr.roll((4, -8), (-2, -1)))
    inner = (..., slice(28, 68), slice(28, 68))
    torch.testing.assert_close(shifted.roll((-4, 8), (-2, -1))[inner], network(mr)[inner], rtol=0, atol=1e-5)


def test_output_is_float32_under_autocast_and_near_full_precision():
    network, mr = small(), torch.rand(2, 1, 32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        low = network(mr)
    assert low.dtype == torch.float32
    assert len(low.unique()) > 256 * 4  # sigmoid on bf16 would leave 8 bits
    torch.testing.assert_close(low, network(mr), rtol=0, atol=0.03)


def test_channels_last_is_the_same_network():
    network, mr = small(), torch.rand(2, 1, 32, 32)
    expected = network(mr)
    network = network.to(memory_format=torch.channels_last)
    torch.testing.assert_close(network(mr), expected, rtol=0, atol=1e-5)


def test_every_parameter_but_those_before_batch_norm_gets_a_gradient():
    network = small().train()
    network(torch.rand(4, 1, 32, 32)).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        if parameter.ndim > 1:
            assert float(parameter.grad.abs().max()) > 0, name

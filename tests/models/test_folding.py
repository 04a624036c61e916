"""Batch norm folded into convolutions: the same function, and the network given stays as it was."""

import copy

import torch
from torch import nn

from sct.models.folding import without_batch_norm
from sct.models.light_unet import LightUNet


def test_the_same_function_without_batch_norm():
    torch.manual_seed(0)
    network, mr = LightUNet((4, 8, 16)), torch.rand(3, 1, 32, 32)
    for _ in range(3):
        network(mr)  # running statistics of its own
    before = copy.deepcopy(network.state_dict())
    folded = without_batch_norm(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    with torch.inference_mode():
        torch.testing.assert_close(folded(mr), network.eval()(mr), rtol=0, atol=1e-5)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])

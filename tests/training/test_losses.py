"""The mix loss against its formula and torch's own losses."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sct.training.losses import MixLoss


def test_closed_form():
    prediction, target = torch.tensor([[0.5, 0.0]]), torch.tensor([[0.0, 0.25]])
    expected = (0.5 + 0.25) / 2 + 4.4 * (0.25 + 0.0625) / 2
    assert float(MixLoss()(prediction, target)) == pytest.approx(expected, rel=1e-6)


@given(alpha=st.floats(0, 10), seed=st.integers(0, 99))
def test_is_l1_plus_alpha_l2(alpha, seed):
    generator = torch.Generator().manual_seed(seed)
    prediction, target = torch.rand(2, 1, 4, 4, generator=generator), torch.rand(2, 1, 4, 4, generator=generator)
    expected = torch.nn.L1Loss()(prediction, target) + alpha * torch.nn.MSELoss()(prediction, target)
    torch.testing.assert_close(MixLoss(alpha)(prediction, target), expected)


def test_gradient_is_numerically_right():
    prediction = torch.rand(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda p: MixLoss()(p, torch.zeros(2, 3, dtype=torch.float64)), prediction)


@pytest.mark.parametrize("alpha", [-1, float("nan")])
def test_refuses_a_senseless_weight(alpha):
    with pytest.raises(ValueError, match="alpha"):
        MixLoss(alpha)

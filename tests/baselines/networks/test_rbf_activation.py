"""Influence functions against NumPy."""

import numpy as np
import pytest
import torch

from baselines.networks.rbf_activation import CENTRES, DELTA, REACH, SPACING, influence


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_influence_is_a_sum_of_gaussians():
    z = torch.linspace(-9, 9, 1001, dtype=torch.float64)
    weights = torch.randn(2, CENTRES, dtype=torch.float64)
    u, centres = np.arcsinh(z.numpy() / DELTA) / SPACING, np.arange(CENTRES) - CENTRES // 2
    expected = weights.numpy() @ np.exp(-0.5 * (u - centres[:, None]) ** 2)
    found = influence(z.expand(1, 2, -1), weights)[0].numpy()
    assert np.abs(found - expected).max() < 0.02 * np.abs(expected).max()


def test_influence_stays_what_it_is_at_the_ends():
    weights = torch.randn(1, CENTRES)
    end = DELTA * float(np.sinh(SPACING * REACH))
    z = torch.tensor([[[-1e6, -end, end, 1e6]]])
    found = influence(z, weights)[0, 0]
    assert torch.allclose(found[[0, 3]], found[[1, 2]], atol=1e-4)


def test_gradients_of_influence():
    z = torch.randn(2, 3, 5, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(3, CENTRES, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(influence, (z, weights))

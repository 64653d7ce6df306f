"""Piecewise linear functions against NumPy's interpolation, and their ends."""

import numpy as np
import pytest
import torch

from baselines.networks import piecewise_linear as module
from baselines.networks.piecewise_linear import piecewise_linear, positions, values_of


@pytest.mark.parametrize("chunk", [2**18, 30])
def test_inside_it_is_linear_interpolation_of_each_channel(chunk, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", chunk)
    rng = np.random.default_rng(0)
    q, a = rng.normal(size=(3, 101)), rng.uniform(-1, 1, (2, 3, 4, 5))
    expected = [np.interp(a[:, channel], np.linspace(-1, 1, 101), q[channel]) for channel in range(3)]
    found = piecewise_linear(torch.from_numpy(a), torch.from_numpy(q))
    assert np.allclose(found, np.stack(expected, 1), atol=1e-12)


def test_outside_it_runs_on_with_its_end_slopes():
    q = positions().double().square().repeat(1, 1)
    ends = (1 - 0.98**2) / 0.02
    a = torch.tensor([[[-3.0, 2.0]]], dtype=torch.float64)
    assert torch.allclose(piecewise_linear(a, q), torch.tensor([[[1 + 2 * ends, 1 + ends]]], dtype=torch.float64))


def test_its_gradients():
    q = torch.randn(2, 101, dtype=torch.float64, requires_grad=True)
    a = (3 * torch.rand(1, 2, 6, dtype=torch.float64) - 1.5).requires_grad_()
    assert torch.autograd.gradcheck(piecewise_linear, (a, q))


def test_values_of_a_function():
    a = torch.linspace(-1.4, 1.4, 29).reshape(1, 1, -1)
    assert torch.allclose(piecewise_linear(a, values_of(torch.relu, 1)), a.relu(), atol=1e-6)

"""Finite differences and their adjoint."""

import numpy as np
import pytest
import torch

from baselines.transforms.finite_differences import gradient, gradient_adjoint


def image(*shape, channels=1, seed=0):
    """Blocks with noise, (1, C, ...)."""
    rng = np.random.default_rng(seed)
    blocks = rng.random((1, channels, *(n // 4 for n in shape)))
    for axis in range(2, 2 + len(shape)):
        blocks = blocks.repeat(4, axis)
    return torch.from_numpy(blocks + 0.1 * rng.standard_normal(blocks.shape))


@pytest.mark.parametrize("shape", [(8, 12), (4, 8, 6)])
def test_gradient_and_its_adjoint(shape):
    x, other = image(*shape), image(*shape, seed=1)
    p = gradient(other)
    assert float((gradient(x) * p).sum()) == pytest.approx(float((x * gradient_adjoint(p)).sum()), rel=1e-12)

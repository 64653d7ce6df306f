"""The primal-dual iterations, with a proximal map of the data term and without one."""

import numpy as np
import pytest
import torch
from deepinv.physics import BlurFFT
from opaque import Opaque

from baselines.handcrafted.tv import TV
from baselines.transforms.finite_differences import gradient, magnitude


def image(*shape, channels=1, seed=0):
    """Blocks with noise, (1, C, ...)."""
    rng = np.random.default_rng(seed)
    blocks = rng.random((1, channels, *(n // 4 for n in shape)))
    for axis in range(2, 2 + len(shape)):
        blocks = blocks.repeat(4, axis)
    return torch.from_numpy(blocks + 0.1 * rng.standard_normal(blocks.shape))


def objective(x, y, physics, lam):
    return float(0.5 * (physics.A(x) - y).square().sum() + lam * magnitude(gradient(x)).sum())


def test_both_routes_find_one_minimiser():
    x = image(24, 20)
    blur = BlurFFT((1, 24, 20), torch.ones(1, 1, 3, 3, dtype=torch.float64) / 9)
    y = blur.A(x)
    lam = 0.01
    exact = TV(lam=lam, iterations=3000)(y, blur)
    dual = TV(lam=lam, iterations=3000)(y, Opaque(blur))
    best = objective(exact, y, blur, lam)
    assert objective(dual, y, blur, lam) == pytest.approx(best, rel=1e-4)
    for seed in range(3):
        away = exact + 1e-3 * torch.randn(exact.shape, dtype=exact.dtype, generator=torch.Generator().manual_seed(seed))
        assert objective(away, y, blur, lam) > best

"""Weighted nuclear norm minimisation: its shrinkage, its proximal map, and what it must leave alone."""

import numpy as np
import pytest
import torch
from skimage.data import camera

from baselines.handcrafted.nlm import nlm
from baselines.handcrafted.wnnm import SETTINGS, low_rank, shrink, wnnm


def matrices(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_shrinkage_is_where_reweighted_soft_thresholds_end():
    s, C = torch.linspace(0.1, 10, 100, dtype=torch.float64), torch.tensor(3.0, dtype=torch.float64)
    x = s
    for _ in range(5000):
        x = (s - C / (x + 1e-9)).clamp(min=0)
    assert torch.allclose(shrink(s, C), x, atol=1e-6)
    assert 0 < (x > 0).sum() < len(x)


@pytest.mark.parametrize("shape", [(20, 9), (9, 20), (12, 12)])
def test_it_is_the_proximal_map_of_its_own_weights(shape):
    """Weights that grow as singular values fall: soft thresholds are the global minimiser (Gu et al. 2014)."""
    Y, C = 3 * matrices(4, *shape), torch.tensor([0.5, 2.0, 5.0, 20.0], dtype=torch.float64)
    X = low_rank(Y, C)
    U, s, Vh = torch.linalg.svd(Y, full_matrices=False)
    shrunk = shrink(s, C[:, None])
    assert torch.allclose(X, U @ (shrunk[..., None] * Vh), atol=1e-8)

    weights = torch.where(shrunk > 0, C[:, None] / shrunk, 1e6)

    def objective(X):
        return 0.5 * (Y - X).square().sum((1, 2)) + (weights * torch.linalg.svdvals(X)).sum(1)

    rank = int((shrunk > 0).sum(1).min())
    assert 0 < rank < min(shape)
    for seed in range(5):  # other matrices of that rank
        left, right = (torch.eye(n, dtype=X.dtype) + 1e-3 * matrices(4, n, n, seed=seed) for n in shape)
        assert (objective(left @ X @ right) > objective(X)).all()


def test_a_matrix_of_low_rank_comes_back():
    """Without noise but for what the weights take, C/s of each singular value s."""
    X = matrices(3, 60, 2) @ matrices(3, 2, 36, seed=1)
    C = torch.full((3,), 1e-9, dtype=torch.float64)
    assert torch.allclose(low_rank(X, C), X, atol=1e-9)
    noisy = X + 1e-3 * matrices(3, 60, 36, seed=2)
    C[:] = 1e-6 * (60**0.5 + 36**0.5) ** 2 / 4 * 1.2
    assert (torch.linalg.matrix_rank(low_rank(noisy, C), atol=1e-6) == 2).all()
    # Of the noise only what lies in the two singular spaces is left.
    assert float((low_rank(noisy, C) - X).square().mean().sqrt()) < 1e-3 * (2 * (60 + 36) / (60 * 36)) ** 0.5 * 1.1


def test_an_image_without_noise_comes_back():
    y = torch.rand(2, 1, 15, 13, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(wnnm(y, torch.tensor([1e-5, 0.0])), y, atol=1e-3)


def test_it_denoises_better_than_non_local_means():
    """As published; in one pass by some of it."""
    x = torch.from_numpy(camera()[108:156, 208:256] / 255).float()[None, None]
    sigma = torch.tensor([25 / 255])
    y = x + sigma * torch.from_numpy(np.random.default_rng(0).standard_normal(x.shape)).float()
    psnr_wnnm, psnr_once, psnr_nlm = (
        -10 * float((z - x).square().mean().log10()) for z in (wnnm(y, sigma), wnnm(y, sigma, once=True), nlm(y, sigma))
    )
    assert psnr_wnnm > psnr_once > psnr_nlm + 0.3


@pytest.mark.parametrize("level", SETTINGS)
def test_every_setting_removes_noise_from_an_even_image(level):
    """All singular values of noise fall below the threshold, and the mean of a group is left."""
    sigma = torch.tensor([min(level, 0.5)])
    y = 0.5 + sigma * torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    error = wnnm(y, sigma, once=True) - 0.5
    assert float(error.square().mean().sqrt()) < 0.2 * float(sigma)

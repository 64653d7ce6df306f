"""Metrics of susceptibility maps against independent implementations and closed forms."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, gaussian_laplace

from tasks.metrics.image import nmse
from tasks.metrics.qsm import hfen, nrmse, xsim

SHAPES = [(24, 30), (16, 18, 20)]


def pair(*shape, channels=1, noise=0.1):
    """An image and its reference, float64 (1, C, ...)."""
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(1, channels, *shape))
    return torch.from_numpy(x + noise * rng.standard_normal(x.shape)), torch.from_numpy(x)


@pytest.mark.parametrize("shape", SHAPES)
def test_nrmse_is_that_of_the_demeaned_masked_maps(shape):
    x_hat, x = pair(*shape)
    mask = (torch.rand(1, 1, *shape, generator=torch.Generator().manual_seed(0)) < 0.5).double()
    a, b = (t.numpy()[mask.numpy() > 0] for t in (x_hat, x))
    a, b = a - a.mean(), b - b.mean()
    expected = 100 * np.linalg.norm(a - b) / np.linalg.norm(b)
    assert nrmse(x_hat, x, {"mask": mask}) == pytest.approx(expected)
    assert nrmse(x_hat + 3, x - 5, {"mask": mask}) == pytest.approx(expected)
    assert nrmse(x_hat + (1 - mask) * 9, x, {"mask": mask}) == pytest.approx(expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_hfen_follows_a_laplacian_of_a_gaussian(shape):
    x_hat, x = pair(*shape)
    centred = (x_hat - x_hat.mean(), x - x.mean())
    a, b = (gaussian_laplace(t[0, 0].numpy(), 1.5, mode="constant", truncate=7 / 1.5) for t in centred)
    expected = 100 * np.linalg.norm(a - b) / np.linalg.norm(b)
    # SciPy's kernel differs by the small shift that makes its sum zero.
    assert hfen(x_hat, x, {}, mask=False) == pytest.approx(expected, rel=1e-3)


def test_hfen_follows_the_kernel_of_the_challenge():
    x_hat, x = pair(20, 20, 20)
    mask = torch.zeros(1, 1, 20, 20, 20, dtype=torch.float64)
    mask[..., 3:15, 4:16, 5:18] = 1
    r = np.arange(-7, 8)
    squares = (r**2)[:, None, None] + (r**2)[:, None] + r**2
    g = np.exp(-squares / (2 * 1.5**2))
    kernel = (squares / 1.5**4 - 3 / 1.5**2) * g / g.sum()
    kernel -= kernel.mean()

    def filtered(t):
        image = t[0, 0].numpy() * mask[0, 0].numpy()
        padded = np.pad(image, 7)
        windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape)
        return np.einsum("abcijk,ijk->abc", windows, kernel)

    a, b = filtered(x_hat), filtered(x)
    expected = 100 * np.linalg.norm(a - b) / np.linalg.norm(b)
    assert hfen(x_hat, x, {"mask": mask}, demean=False) == pytest.approx(expected, rel=1e-10)


def test_xsim_is_ssim_with_its_constants():
    x_hat, x = (0.1 * t for t in pair(12, 14, 16))
    mask = torch.zeros(1, 1, 12, 14, 16, dtype=torch.float64)
    mask[..., 1:9, 2:, :-3] = 1
    a, b = ((t * mask)[0, 0].numpy() for t in (x_hat, x))
    average = partial(gaussian_filter, sigma=1.5, truncate=2, mode="constant")  # 7 voxels
    mu_a, mu_b = average(a), average(b)
    var_a, var_b, cov = average(a * a) - mu_a**2, average(b * b) - mu_b**2, average(a * b) - mu_a * mu_b
    c1, c2 = 0.01**2, 0.001**2
    similarity = (2 * mu_a * mu_b + c1) * (2 * cov + c2) / ((mu_a**2 + mu_b**2 + c1) * (var_a + var_b + c2))
    expected = similarity[mask[0, 0].numpy() > 0].mean()
    assert xsim(x_hat, x, {"mask": mask}, demean=False) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("metric", [nrmse, hfen, xsim, nmse])
def test_a_perfect_reconstruction(metric):
    _, x = pair(16, 16, 16)
    assert metric(x, x, {"mask": torch.ones_like(x)}) == pytest.approx(1 if metric is xsim else 0, abs=1e-12)

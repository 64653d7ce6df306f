"""TV against closed forms and another library."""

import numpy as np
import pytest
import torch
from deepinv.physics import Denoising
from skimage.restoration import denoise_tv_chambolle

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


def test_denoising_is_that_of_scikit_image():
    y = image(32, 24)
    ours = TV(lam=0.15, iterations=2000)(y, Denoising())
    theirs = denoise_tv_chambolle(y[0, 0].numpy(), weight=0.15, eps=1e-12, max_num_iter=20000)
    theirs = torch.from_numpy(theirs)[None, None]
    assert objective(ours, y, Denoising(), 0.15) <= objective(theirs, y, Denoising(), 0.15) * (1 + 1e-6)
    assert float((ours - theirs).abs().max()) < 2e-3


def test_a_step_is_lowered_by_the_closed_form():
    """Of a step between halves of n columns each half moves by lam / n towards the other."""
    y = torch.zeros(1, 1, 6, 20, dtype=torch.float64)
    y[..., 10:] = 1
    x_hat = TV(lam=0.5, iterations=2000)(y, Denoising())
    assert torch.allclose(x_hat[..., :10], torch.tensor(0.05, dtype=torch.float64), atol=1e-6)
    assert torch.allclose(x_hat[..., 10:], torch.tensor(0.95, dtype=torch.float64), atol=1e-6)


def test_the_mean_is_kept():
    y = image(16, 16)
    # Up to the single precision in which deepinv keeps the step of its prox.
    assert float(TV(lam=1.0, iterations=500)(y, Denoising()).mean()) == pytest.approx(float(y.mean()), rel=1e-6)


def test_a_complex_image_has_one_set_of_edges():
    """Turning the phase of a complex image turns its reconstruction."""
    y = image(16, 16, channels=2)
    turned = torch.stack([-y[:, 1], y[:, 0]], 1)
    x_hat = TV(lam=0.2, iterations=300)(y, Denoising())
    x_hat_turned = TV(lam=0.2, iterations=300)(turned, Denoising())
    assert torch.allclose(torch.stack([-x_hat[:, 1], x_hat[:, 0]], 1), x_hat_turned, atol=1e-9)

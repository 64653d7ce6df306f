"""TV against closed forms, another library, and itself by another route."""

import numpy as np
import pytest
import torch
from deepinv.physics import BlurFFT, Denoising
from opaque import Opaque
from skimage.restoration import denoise_tv_chambolle

from baselines.handcrafted.tv import TV
from baselines.transforms.finite_differences import gradient, gradient_adjoint, magnitude


def image(*shape, channels=1, seed=0):
    """Blocks with noise, (1, C, ...)."""
    rng = np.random.default_rng(seed)
    blocks = rng.random((1, channels, *(n // 4 for n in shape)))
    for axis in range(2, 2 + len(shape)):
        blocks = blocks.repeat(4, axis)
    return torch.from_numpy(blocks + 0.1 * rng.standard_normal(blocks.shape))


def objective(x, y, physics, lam):
    return float(0.5 * (physics.A(x) - y).square().sum() + lam * magnitude(gradient(x)).sum())


@pytest.mark.parametrize("shape", [(8, 12), (4, 8, 6)])
def test_gradient_and_its_adjoint(shape):
    x, other = image(*shape), image(*shape, seed=1)
    p = gradient(other)
    assert float((gradient(x) * p).sum()) == pytest.approx(float((x * gradient_adjoint(p)).sum()), rel=1e-12)


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


def test_a_complex_image_has_one_set_of_edges():
    """Turning the phase of a complex image turns its reconstruction."""
    y = image(16, 16, channels=2)
    turned = torch.stack([-y[:, 1], y[:, 0]], 1)
    x_hat = TV(lam=0.2, iterations=300)(y, Denoising())
    x_hat_turned = TV(lam=0.2, iterations=300)(turned, Denoising())
    assert torch.allclose(torch.stack([-x_hat[:, 1], x_hat[:, 0]], 1), x_hat_turned, atol=1e-9)

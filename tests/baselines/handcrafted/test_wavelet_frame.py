"""Analysis-sparse framelets against a closed form, a dual method, and themselves by another algorithm."""

import pytest
import torch
from deepinv.physics import BlurFFT, Denoising

from baselines.handcrafted.wavelet_frame import WaveletFrame
from baselines.transforms.framelets import Framelets


def image(*shape, seed=0):
    """A slope, an edge and noise, (1, 1, ...)."""
    noise = torch.randn(1, 1, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    slope = torch.linspace(0, 1, shape[-1], dtype=torch.float64).expand(1, 1, *shape)
    return slope + (slope > 0.6) + 0.1 * noise


@pytest.mark.parametrize(("algorithm", "order"), [("pdhg", 1), ("pdhg", 2), ("pdhg", 4), ("admm", 2)])
def test_a_large_weight_leaves_the_mean(algorithm, order):
    y = image(16, 20)
    x_hat = WaveletFrame(1e3, order, levels=2, algorithm=algorithm, iterations=200)(y, Denoising())
    assert torch.allclose(x_hat, y.mean().expand_as(y), atol=1e-4)


@pytest.mark.parametrize("algorithm", WaveletFrame.algorithms)
def test_denoising_is_that_of_projections_on_the_dual(algorithm):
    """x = y − Wᵀp, p the fixed point of p ← P(p + W(y − Wᵀp)) on |p| <= λw, extrapolated (Beck and Teboulle 2009)."""
    y, lam = image(16, 13), 0.15
    W = Framelets(y, order=2, levels=2)
    p = q = W.analysis(y).zero_()
    for k in range(300):
        step = q + W.analysis(y - W.adjoint(q))
        p, last = torch.maximum(torch.minimum(step, lam * W.weights), -lam * W.weights), p
        q = p + k / (k + 3) * (p - last)
    x_hat = WaveletFrame(lam, algorithm=algorithm, iterations=200)(y, Denoising())
    assert torch.allclose(x_hat, y - W.adjoint(p), atol=1e-3)
    assert float((x_hat - y).abs().max()) > 0.1


def test_both_algorithms_reach_one_objective():
    x = image(24, 30)
    blur = BlurFFT((1, 24, 30), torch.ones(1, 1, 3, 3, dtype=torch.float64) / 9)
    y = blur.A(x)
    pdhg, admm = (
        WaveletFrame(0.01, algorithm=a, iterations=200).convergence(y, blur)[-1] for a in WaveletFrame.algorithms
    )
    assert pdhg == pytest.approx(admm, rel=1e-4)
    assert pdhg < WaveletFrame(0.01, iterations=5).convergence(y, blur)[-1] * (1 - 1e-4)

"""Wavelets with total variation: each half alone is a method known otherwise, and both together converge."""

import numpy as np
import pytest
import pywt
import torch
from deepinv.physics import MRI, Denoising
from skimage.restoration import denoise_tv_chambolle

from baselines.handcrafted.wavelet_tv import WaveletTV
from baselines.transforms.wavelets import Wavelets

NOTHING = 1e-9


def image(*shape, channels=1, seed=0):
    """Blocks with noise, (1, C, ...)."""
    rng = np.random.default_rng(seed)
    blocks = rng.random((1, channels, *(n // 4 for n in shape)))
    for axis in range(2, 2 + len(shape)):
        blocks = blocks.repeat(4, axis)
    return torch.from_numpy(blocks + 0.1 * rng.standard_normal(blocks.shape))


@pytest.mark.parametrize("algorithm", WaveletTV.algorithms)
def test_without_total_variation_it_is_soft_thresholding(algorithm):
    y = image(32, 32)
    x_hat = WaveletTV(0.15, NOTHING, "db2", levels=3, algorithm=algorithm, iterations=300)(y, Denoising())
    approximation, *details = pywt.wavedec2(y[0, 0].numpy(), "db2", "periodization", 3)
    shrunk = [tuple(pywt.threshold(band, 0.15, "soft") for band in level) for level in details]
    expected = pywt.waverec2([approximation, *shrunk], "db2", "periodization")
    np.testing.assert_allclose(x_hat[0, 0].numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("algorithm", WaveletTV.algorithms)
def test_without_wavelets_it_is_total_variation(algorithm):
    y = image(32, 24)
    x_hat = WaveletTV(NOTHING, 0.15, algorithm=algorithm, iterations=300)(y, Denoising())
    expected = denoise_tv_chambolle(y[0, 0].numpy(), weight=0.15, eps=1e-12, max_num_iter=20000)
    np.testing.assert_allclose(x_hat[0, 0].numpy(), expected, atol=2e-3)


def test_both_algorithms_reach_one_objective():
    x = image(32, 32, channels=2)
    mask = torch.zeros(1, 2, 32, 32, dtype=torch.float64)
    mask[..., ::2], mask[..., 12:20] = 1, 1
    mri = MRI(mask)
    y = mri.A(x)
    pdhg, admm = (
        WaveletTV(0.02, 0.01, algorithm=a, iterations=300).convergence(y, mri)[-1] for a in WaveletTV.algorithms
    )
    assert pdhg == pytest.approx(admm, rel=1e-4)
    assert pdhg < WaveletTV(0.02, 0.01, iterations=5).convergence(y, mri)[-1] * (1 - 1e-4)


@pytest.mark.parametrize("shape", [(32, 24), (27, 35), (9, 12, 10)])
def test_the_adjoint_and_the_norm(shape):
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.standard_normal((2, 2, *shape)))
    g = WaveletTV().regulariser(Wavelets(x, "db2", 3))
    p = torch.from_numpy(rng.standard_normal(g.K(x).shape))
    assert float((g.K(x) * p).sum()) == pytest.approx(float((x * g.K_adjoint(p)).sum()), rel=1e-8)
    for _ in range(50):
        x = g.K_adjoint(g.K(x / x.norm()))
    assert 0.8 * g.K_norm < float(x.norm()) ** 0.5 <= g.K_norm

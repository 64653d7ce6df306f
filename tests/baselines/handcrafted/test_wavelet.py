"""Sparse wavelet synthesis against soft thresholding by PyWavelets, and its algorithms against each other."""

from itertools import pairwise

import numpy as np
import pytest
import pywt
import torch
from deepinv.physics import BlurFFT, Denoising

from baselines.handcrafted.wavelet import Wavelet
from baselines.solvers.proximal_gradient import fista
from baselines.transforms.wavelets import Wavelets
from bench.errors import BenchError

ALGORITHMS = Wavelet.algorithms


def image(*shape, channels=1, seed=0):
    """Blocks with noise, (1, C, ...)."""
    rng = np.random.default_rng(seed)
    blocks = rng.random((1, channels, *(-(-n // 4) for n in shape)))
    for axis, n in enumerate(shape, start=2):
        blocks = blocks.repeat(4, axis).take(range(n), axis)
    return torch.from_numpy(blocks + 0.1 * rng.standard_normal(blocks.shape))


def blurred(*shape):
    blur = BlurFFT((1, *shape), torch.ones(1, 1, 3, 3, dtype=torch.float64) / 9)
    return blur.A(image(*shape)), blur


def thresholded(y, lam, wavelet, levels):
    """Soft thresholding of the modulus of all details, by PyWavelets; ``y`` complex or real."""
    approximation, *details = pywt.wavedec2(y, wavelet, "periodization", levels)
    shrunk = [tuple(pywt.threshold(band, lam, "soft") for band in level) for level in details]
    return pywt.waverec2([approximation, *shrunk], wavelet, "periodization")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("wavelet", ["haar", "db2"])
def test_denoising_is_soft_thresholding(algorithm, wavelet):
    y = image(32, 48)
    x_hat = Wavelet(0.15, wavelet, levels=3, algorithm=algorithm, iterations=200)(y, Denoising())
    expected = thresholded(y[0, 0].numpy(), 0.15, wavelet, 3)
    np.testing.assert_allclose(x_hat[0, 0].numpy(), expected, atol=1e-6)
    assert float((x_hat - y).abs().max()) > 0.1


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_complex_coefficient_is_shrunk_as_one(algorithm):
    y = image(32, 32, channels=2)
    x_hat = Wavelet(0.2, "db2", levels=3, algorithm=algorithm, iterations=200)(y, Denoising())
    expected = thresholded((y[0, 0] + 1j * y[0, 1]).numpy(), 0.2, "db2", 3)
    np.testing.assert_allclose((x_hat[0, 0] + 1j * x_hat[0, 1]).numpy(), expected, atol=1e-6)


def test_a_volume_is_soft_thresholded_in_three_dimensions():
    y = image(16, 8, 24)
    x_hat = Wavelet(0.15, "haar", levels=2, algorithm="fista", iterations=2)(y, Denoising())
    approximation, *details = pywt.wavedecn(y[0, 0].numpy(), "haar", "periodization", 2)
    shrunk = [{key: pywt.threshold(band, 0.15, "soft") for key, band in level.items()} for level in details]
    expected = pywt.waverecn([approximation, *shrunk], "haar", "periodization")
    np.testing.assert_allclose(x_hat[0, 0].numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(24, 24), (19, 21)])
def test_all_algorithms_reach_one_objective(shape):
    y, blur = blurred(*shape)
    iterations = {"fista": 200, "ista": 1500, "admm": 150, "pdhg": 150}
    assert set(iterations) == set(ALGORITHMS)
    ends = {a: Wavelet(0.02, "db2", algorithm=a, iterations=n).convergence(y, blur)[-1] for a, n in iterations.items()}
    assert max(ends.values()) == pytest.approx(min(ends.values()), rel=1e-4), ends


def test_ista_descends_and_fista_overtakes_it():
    y, blur = blurred(32, 32)
    slow, fast = (Wavelet(0.01, algorithm=a, iterations=60).convergence(y, blur) for a in ("ista", "fista"))
    assert all(after <= before * (1 + 1e-12) for before, after in pairwise(slow))
    assert fast[-1] < slow[-1]


def test_the_minimiser_is_stationary():
    """Dᵀ∇f(x) is −λ c/|c| where a detail is not zero, at most λ where it is, and zero at the approximation."""
    y, blur = blurred(32, 32)
    method = Wavelet(0.01, "db2", algorithm="fista", iterations=3000)
    model = method.model(y, blur)
    c = fista(model.start, model.f, model.g, method.iterations, lambda c: None)
    slope = model.f.gradient(c)
    penalised = Wavelets(y, "db2").weights.expand_as(c) > 0
    active = (c.abs() > 1e-6) & penalised
    assert 20 < int(active.sum()) < 900
    assert torch.allclose(slope[active], -0.01 * c[active].sign(), atol=1e-5)
    assert float(slope[penalised].abs().max()) < 0.01 + 1e-5
    assert float(slope[~penalised].abs().max()) < 1e-5


@pytest.mark.parametrize("name", ["bior4.4", "dmey", "db0"])
def test_wavelets_that_are_not_orthonormal_are_refused(name):
    with pytest.raises(BenchError, match=f"wavelet={name}"):
        Wavelet(wavelet=name)

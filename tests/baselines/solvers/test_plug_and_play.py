"""Plug-and-play with linear denoisers, whose iterates have a closed form, by either route of the data term."""

import pytest
import torch
from deepinv.physics import BlurFFT, Denoising, GaussianNoise, LinearPhysics, ZeroNoise
from opaque import Opaque

from baselines.data_driven.adaptive_frame import AdaptiveFrame
from baselines.data_driven.ddtf import DDTF
from baselines.data_driven.ksvd import KSVD
from baselines.data_driven.low_rank import LowRank
from baselines.data_driven.mod import MOD
from baselines.handcrafted.bm3d import BM3D
from baselines.handcrafted.nlm import NLM
from baselines.handcrafted.wnnm import WNNM
from baselines.networks.normalisation import rms
from baselines.solvers.plug_and_play import PlugAndPlay

SHAPE = (16, 20)


MOMENTA = (0.0, 0.281754, 0.434043)  # (t − 1)/t⁺ for t = 1, 1.618034, 2.193527, 2.749791


class Wiener(PlugAndPlay):
    """D(x; σ) = F^H S/(S + σ²) F x: the posterior mean of images whose power spectrum is S."""

    spectrum = 1 / (0.05 + torch.fft.fftfreq(16, dtype=torch.float64)[:, None].abs() + torch.fft.fftfreq(20).abs())

    def denoise(self, x, sigma):
        gain = self.spectrum / (self.spectrum + sigma[:, None, None, None] ** 2)
        return torch.fft.ifft2(gain * torch.fft.fft2(x)).real


class Turn(LinearPhysics):
    """A complex image times i."""

    operator_norm = 1.0

    def A(self, x, **kwargs):
        return torch.stack([-x[:, 1], x[:, 0]], 1)

    def A_adjoint(self, y, **kwargs):
        return -self.A(y)


def images(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def blur():
    kernel = torch.outer(torch.tensor([1.0, 5, 1]), torch.tensor([1.0, 6, 1])).double()
    return BlurFFT((1, *SHAPE), (kernel / kernel.sum())[None, None])  # of norm one, at frequency zero


@pytest.mark.parametrize("noise", [None, GaussianNoise(0.1)], ids=["no noise", "noise"])
@pytest.mark.parametrize("hide", [False, True], ids=["closed form", "conjugate gradients"])
def test_iterates_follow_the_recursion_of_each_frequency(hide, noise):
    y, sigmas = blur().A(images(2, 1, *SHAPE)), [0.4, 0.2, 0.1]
    physics = Opaque(blur()) if hide else blur()
    physics.operator_norm = 1.0
    physics.noise_model = noise or ZeroNoise()
    x_hat = Wiener(sigma=0.1, start=0.4, iterations=3)(y, physics)

    transfer = torch.fft.fft2(blur().A(torch.eye(320, dtype=torch.float64)[:1].reshape(1, 1, *SHAPE)))
    start = blur().A_adjoint(y)
    data, z = torch.fft.fft2(y / rms(start)), torch.fft.fft2(start / rms(start))

    def fit(v, nu):
        return (transfer.conj() * data + nu * v) / (transfer.abs() ** 2 + nu)

    v = z
    for sigma, momentum in zip(sigmas, MOMENTA, strict=True):
        x = fit(v, (0.1 / sigma) ** 2 if noise else 1e-3)
        z, before = Wiener.spectrum / (Wiener.spectrum + sigma**2) * x, z
        v = z if noise else z + momentum * (z - before)
    expected = torch.fft.ifft2(z if noise else fit(z, 1e-3)).real * rms(start)
    assert torch.allclose(x_hat, expected, atol=1e-5 if hide else 1e-9)


def test_many_iterations_at_one_sigma_find_the_posterior_mean():
    """The fixed point of z = D(prox(z)), where σ_k = σ, solves a ridge regression: H*y = (|H|² + (H² + 1)σ²/S) z."""
    y, physics = blur().A(images(1, 1, *SHAPE)), blur()
    physics.operator_norm, physics.noise_model = 1.0, GaussianNoise(0.1)
    scale = rms(physics.A_adjoint(y))
    z = torch.fft.fft2(Wiener(sigma=0.2, start=0.05, iterations=500)(y, physics) / scale)
    transfer = torch.fft.fft2(blur().A(torch.eye(320, dtype=torch.float64)[:1].reshape(1, 1, *SHAPE)))
    ratio = 0.2**2 / Wiener.spectrum
    left = transfer.conj() * torch.fft.fft2(y / scale)
    assert torch.allclose(left, (transfer.abs() ** 2 + (transfer.abs() ** 2 + 1) * ratio) * z, atol=1e-5)


@pytest.mark.parametrize("sigma", [0.3, torch.tensor([0.1, 0.5])[:, None, None, None]], ids=["one", "per image"])
def test_known_noise_is_one_call_of_the_denoiser(sigma):
    y = images(2, 1, *SHAPE)
    x_hat = Wiener()(y, Denoising(GaussianNoise(sigma)))
    expected = Wiener().denoise(y, torch.as_tensor(sigma).flatten().expand(2).double())
    assert torch.equal(x_hat, expected)


def test_as_many_iterations_as_asked_for_and_by_default_more_without_noise():
    y, physics = blur().A(images(1, 1, *SHAPE)), blur()
    physics.operator_norm = 1.0
    for noise, steps in ((ZeroNoise(), 20), (GaussianNoise(0.1), 8)):
        physics.noise_model = noise
        assert torch.equal(Wiener()(y, physics), Wiener(iterations=steps)(y, physics))
        assert not torch.equal(Wiener()(y, physics), Wiener(iterations=14)(y, physics))
    assert torch.allclose(Wiener(iterations=0)(y, physics), physics.A_adjoint(y))


def test_the_unit_of_the_image_does_not_matter():
    y, physics = blur().A(images(1, 1, *SHAPE)), blur()
    physics.operator_norm = 1.0
    assert torch.allclose(Wiener()(1e-6 * y, physics) * 1e6, Wiener()(y, physics), rtol=1e-9)


@pytest.mark.parametrize("method", [NLM, BM3D, WNNM, LowRank, KSVD, MOD, DDTF, AdaptiveFrame])
@pytest.mark.parametrize("shape", [(1, 1), (3, 20), (7, 20)])
@pytest.mark.parametrize("blurred", [False, True])
def test_images_smaller_than_a_patch(method, shape, blurred):
    y = torch.full((2, 1, *shape), 3.0, dtype=torch.float64)
    physics = (
        BlurFFT((1, *shape), torch.ones(1, 1, 1, 1, dtype=torch.float64)) if blurred else Denoising(GaussianNoise(0.1))
    )
    assert torch.allclose(method()(y, physics), y, rtol=1e-3)


def test_the_phase_of_a_complex_image_does_not_matter():
    """A turned measurement gives the turned image."""
    y, physics = images(1, 2, *SHAPE) - 0.2, Turn()
    turned = torch.stack([-y[:, 1], y[:, 0]], 1)
    x_hat, x_hat_turned = Wiener()(y, physics), Wiener()(turned, physics)
    assert torch.allclose(torch.stack([-x_hat[:, 1], x_hat[:, 0]], 1), x_hat_turned, atol=1e-6)

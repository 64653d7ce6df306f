"""Linearized Bregman iterations with framelets: where they end, where they stop, and photographs."""

import pytest
import torch
from deepinv.physics import BlurFFT, Denoising, GaussianNoise, Inpainting, ZeroNoise
from examples import noisy_photograph, psnr

from baselines.handcrafted.linearized_bregman import LinearizedBregman
from bench.contract.space import Int
from bench.contract.toy_operators import toys
from bench.errors import BenchError


def test_the_limit_has_the_measurement():
    """A blur without zeros, whose only image of this measurement is the truth."""
    kernel = torch.outer(torch.tensor([1.0, 12, 1]), torch.tensor([1.0, 12, 1])).double()
    blur = BlurFFT((1, 16, 16), (kernel / kernel.sum())[None, None])
    blur.noise_model, blur.operator_norm = ZeroNoise(), 1.0
    x = torch.rand(1, 1, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(LinearizedBregman(iterations=400)(blur.A(x), blur), x, atol=1e-3)


@pytest.mark.parametrize("sigma", [0.05, 0.2])
def test_it_stops_as_soon_as_the_residual_is_as_small_as_the_noise(sigma):
    _, y = noisy_photograph(slice(100, 148), slice(200, 248), sigma)
    physics = Denoising(GaussianNoise(sigma))
    residuals = LinearizedBregman().convergence(y, physics)
    enough = 0.5 * y.numel() * sigma**2
    assert residuals[-1] <= enough < residuals[-2]
    assert residuals == sorted(residuals, reverse=True)
    assert len(residuals) < 100
    without = LinearizedBregman(stop="iterations", iterations=100).convergence(y, physics)
    assert len(without) == 100
    assert without[-1] < 0.1 * enough


def test_a_missing_half_of_the_pixels_is_filled():
    x, _ = noisy_photograph(slice(100, 164), slice(200, 264), 0.0)
    mask = (torch.rand(x.shape, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    physics = Inpainting((1, 64, 64), mask, noise_model=GaussianNoise(0.02))
    y = mask * (x + 0.02 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1)))
    x_hat = LinearizedBregman(mu=10.0)(y, physics)
    assert psnr(x_hat, x) > psnr(y, x) + 12
    assert psnr(x_hat[mask == 0], x[mask == 0]) > 24


def test_it_denoises_better_than_two_iterations_or_a_hundred():
    x, y = noisy_photograph(slice(100, 164), slice(200, 264), 0.1)
    physics = Denoising(GaussianNoise(0.1))
    stopped = psnr(LinearizedBregman()(y, physics), x)
    assert stopped > psnr(y, x) + 6
    for iterations in (2, 100):
        assert stopped > psnr(LinearizedBregman(iterations=iterations, stop="iterations")(y, physics), x) + 0.5


def test_the_unit_of_the_image_does_not_matter():
    _, y = noisy_photograph(slice(100, 132), slice(200, 232), 0.1)
    x_hat, small = (LinearizedBregman()(scale * y, Denoising(GaussianNoise(scale * 0.1))) for scale in (1, 1e-3))
    assert torch.allclose(1e3 * small, x_hat, atol=1e-4)


def test_iterations_are_tuned_where_the_noise_has_no_declared_strength():
    track = toys()[0].track
    assert LinearizedBregman.space(track).keys() == {"mu"}
    assert isinstance(LinearizedBregman.space(type(track)(**{**vars(track), "noise": "none"}))["iterations"], Int)


def test_another_rule_is_refused():
    with pytest.raises(BenchError, match="stop=never is not one of discrepancy, iterations"):
        LinearizedBregman(stop="never")

"""The data term against the likelihood and its own minimiser."""

import pytest
import torch
from deepinv.physics import Denoising, GaussianNoise, PoissonNoise
from examples import blur, image

from baselines.functionals.data_fit import data_fit
from baselines.functionals.likelihood import likelihood


def test_data_term_of_the_noise_and_on_request_the_gaussian_one():
    y = image(1, 1, 8, 8).clamp(min=0.1)
    physics = Denoising(PoissonNoise(0.1))
    x = y + 0.1
    matched, gaussian = data_fit(physics, y), data_fit(physics, y, "gaussian")
    assert float(matched.value(x)) == pytest.approx(float(likelihood(y, physics.noise_model).value(x)))
    assert float(gaussian.value(x)) == pytest.approx(0.5 * 0.01 * 64)


@pytest.mark.parametrize("noise", [GaussianNoise(0.1), PoissonNoise(0.1)])
def test_prox_dual_is_that_of_the_conjugate(noise):
    """Moreau: q − prox_{σh*}(q) = σ prox_{h/σ}(q/σ), with h(z) = F(‖A‖z)/‖A‖² minimised numerically."""
    y = image(1, 1, 4, 4).clamp(min=0.1)
    physics = blur(4)
    physics.noise_model = noise
    f = data_fit(physics, y)
    q, sigma = image(1, 1, 4, 4, seed=2), 0.7
    z = (q - f.prox_dual(q, sigma)) / sigma
    z.requires_grad_()
    h = (f.F.value(f.norm * z) / f.norm**2 / sigma + 0.5 * (z - q / sigma).square().sum()).sum()
    (slope_of_h,) = torch.autograd.grad(h, z)
    assert float(slope_of_h.abs().max()) < 1e-6

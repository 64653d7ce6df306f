"""The energy of noise that is declared, against noise that is drawn."""

import pytest
import torch
from deepinv.physics import GaussianNoise, LaplaceNoise, LogPoissonNoise, PoissonNoise, SaltPepperNoise, ZeroNoise

from baselines.functionals.discrepancy import noise_energy

MODELS = {
    "gaussian": GaussianNoise(0.1),
    "laplace": LaplaceNoise(0.1),
    "poisson": PoissonNoise(0.02),
    "photon": LogPoissonNoise(N0=1e3, mu=1.0),
}


@pytest.mark.parametrize("law", MODELS)
def test_it_is_the_squared_distance_to_the_exact_measurement(law):
    torch.manual_seed(0)
    z = torch.rand(2, 1, 200, 200) + torch.tensor([0.2, 1.0])[:, None, None, None]
    y = MODELS[law](z)
    found = noise_energy(y, MODELS[law])
    assert found.shape == (2,)
    assert torch.allclose(found, (y - z).square().sum((1, 2, 3)), rtol=0.05)


def test_values_that_were_not_measured_hold_no_noise():
    torch.manual_seed(0)
    mask = (torch.rand(1, 1, 100, 100) < 0.3).float()
    y = mask * GaussianNoise(0.1)(torch.ones(1, 1, 100, 100))
    assert float(noise_energy(y, GaussianNoise(0.1))) == pytest.approx(0.01 * float(mask.sum()), rel=1e-5)


def test_each_image_has_the_noise_of_its_own():
    y = torch.ones(2, 1, 3, 3)
    found = noise_energy(y, GaussianNoise(torch.tensor([0.1, 0.2])[:, None, None, None]))
    assert torch.allclose(found, 9 * torch.tensor([0.01, 0.04]))


@pytest.mark.parametrize("model", [None, ZeroNoise(), SaltPepperNoise()])
def test_unknown_where_the_physics_declares_no_strength(model):
    assert noise_energy(torch.ones(1, 1, 3, 3), model) is None

"""Diffusion against its own objective and a linear system."""

import pytest
import torch
from deepinv.physics import Denoising, PoissonNoise
from examples import blur, image

from baselines.conjugate_gradient import conjugate_gradient
from baselines.handcrafted.mumford_shah import MumfordShah
from baselines.handcrafted.perona_malik import PeronaMalik
from baselines.transforms.finite_differences import gradient, gradient_adjoint


@pytest.mark.parametrize("method", [PeronaMalik, MumfordShah])
@pytest.mark.parametrize("physics", [Denoising(), blur(), Denoising(PoissonNoise(0.1))], ids=str)
def test_diffusion_never_raises_its_objective(method, physics):
    y = physics.A(image(1, 1, 16, 16))
    values = torch.tensor(method(2.0, 0.1, iterations=100).convergence(y, physics))
    assert bool((values[1:] <= values[:-1] * (1 + 1e-6)).all())
    assert values[-1] < values[0]


@pytest.mark.parametrize("method", [PeronaMalik, MumfordShah])
def test_diffusion_below_the_edge_length_is_that_of_tikhonov(method):
    """With κ far above all differences c is one, and x solves (1 + λ∇ᵀ∇) x = y."""
    y = image(1, 1, 16, 16)
    found = method(1.0, 1e4, iterations=300)(y, Denoising())
    expected = conjugate_gradient(lambda x: x + gradient_adjoint(gradient(x)), y, y, 200)
    assert torch.allclose(found, expected, atol=1e-5)

"""Reaction diffusion: its adjoint and one step by hand, and that it learns."""

import numpy as np
import pytest
import torch
from deepinv.physics import BlurFFT, Denoising
from learning import assert_equivariant_to_the_unit, assert_learns_one_image

from baselines.data_driven.reaction_diffusion import SIDE, Diffusion, ReactionDiffusion, mirror, mirror_adjoint
from baselines.networks.normalisation import rms
from baselines.networks.rbf_activation import fit, influence
from baselines.transforms.finite_differences import gradient, gradient_adjoint


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("dims", [2, 3])
def test_mirror_and_its_adjoint(dims):
    x = torch.randn(2, 1, 6, 5, 7, dtype=torch.float64)[..., : 7 if dims == 3 else 1].squeeze(-1)
    whole = mirror(x, 2)
    assert np.array_equal(whole.numpy(), np.pad(x.numpy(), [(0, 0)] * 2 + [(2, 2)] * dims, mode="symmetric"))
    y = torch.randn_like(whole)
    assert torch.allclose((whole * y).sum(), (x * mirror_adjoint(y, 2)).sum())


@pytest.mark.parametrize(("channels", "shape"), [(1, (12, 9)), (2, (8, 8)), (1, (6, 5, 7))])
def test_diffusion_is_the_gradient_of_its_penalty_up_to_the_edges(channels, shape):
    """k̄ is the adjoint of k: with φ = ρ', the step is the gradient of Σ ρ(k * x), which autograd finds by itself."""
    step = Diffusion(channels, len(shape)).double()
    with torch.no_grad():
        step.coefficients.add_(0.3 * torch.randn_like(step.coefficients))
    x = torch.randn(1, channels, *shape, dtype=torch.float64, requires_grad=True)
    response = torch.nn.functional.conv2d if len(shape) == 2 else torch.nn.functional.conv3d
    pads = [(0, 0)] * 2 + [(SIDE[len(shape)] // 2,) * 2] * len(shape)
    places = torch.from_numpy(np.pad(np.arange(x.numel()).reshape(x.shape), pads, mode="symmetric"))
    z = response(x.flatten()[places], step.filters())
    (expected,) = torch.autograd.grad((z * influence(z, step.weights).detach()).sum(), x)
    assert torch.allclose(step(x) * SIDE[len(shape)] ** len(shape), expected, atol=1e-10)


def test_with_two_differences_it_is_a_step_of_anisotropic_diffusion():
    """x − Σ_i ∇_iᵀ φ(∇_i x), with φ(z) = z/(1 + z²) of Perona and Malik."""
    step = Diffusion(1, 2).double()
    differences = torch.zeros(2, 5, 5, dtype=torch.float64)
    differences[:, 2, 2] = -(0.5**0.5)
    differences[0, 3, 2] = differences[1, 2, 3] = 0.5**0.5
    with torch.no_grad():
        step.coefficients[:2] = differences.flatten(1) @ step.basis.flatten(1).T
        step.weights.zero_()
        step.weights[:2] = fit(lambda z: z / (1 + z**2))
    assert torch.allclose(step.filters()[:2, 0], differences, atol=1e-6)  # the basis is in single precision
    x = torch.randn(1, 1, 10, 11, dtype=torch.float64)
    z = gradient(x) / 2**0.5
    expected = gradient_adjoint(z / (1 + z**2)) / 2**0.5 / 25
    assert torch.allclose(step(x), expected, atol=1e-3 * float(expected.abs().max()))


def test_filters_see_no_constant():
    for channels, dims in ((1, 2), (2, 2), (1, 3)):
        filters = Diffusion(channels, dims).filters()
        assert len(filters) == channels * (SIDE[dims] ** dims - 1)
        assert torch.allclose(filters.flatten(2).sum(2), torch.zeros(len(filters), channels), atol=1e-5)
        assert torch.allclose(filters.flatten(1).norm(dim=1), torch.ones(len(filters)))


def test_one_step_is_as_published():
    """Diffusion in units of the rms, and the gradient of the data term."""
    method = ReactionDiffusion(steps=1)
    kernel = torch.ones(1, 1, 3, 3) / 9
    physics, y = BlurFFT((1, 16, 16), kernel), torch.rand(2, 1, 16, 16)
    physics.operator_norm = 1.0
    with torch.no_grad():
        x = physics.A_adjoint(y)
        expected = x - rms(x) * method.steps[0](x / rms(x)) - 0.2 * physics.A_adjoint(physics.A(x) - y)
        assert torch.allclose(method(y, physics), expected, atol=1e-6)


def test_few_parameters():
    """24 filters in 24 cosines, 33 Gaussians for each, and λ; five times."""
    assert sum(p.numel() for p in ReactionDiffusion().parameters()) == 5 * (24 * 24 + 24 * 33 + 1)


def test_before_training_it_smooths_and_leaves_constants():
    y = 1 + 0.2 * torch.randn(1, 1, 32, 32)
    with torch.no_grad():
        method = ReactionDiffusion()
        assert float(method(y, Denoising()).std()) < 0.5 * float(y.std())
        even = torch.ones(1, 1, 16, 16)
        assert torch.allclose(method(even, Denoising()), even, atol=1e-5)


def test_equivariant_to_the_unit():
    assert_equivariant_to_the_unit(ReactionDiffusion())


def test_learns_one_image():
    assert_learns_one_image(ReactionDiffusion(), rate=ReactionDiffusion.learning_rate, share=0.2)


def test_its_atoms_are_its_filters():
    atoms = ReactionDiffusion().atoms(torch.zeros(1, 1, 8, 8), Denoising())
    assert {name: tuple(filters.shape) for name, filters in atoms.items()} == dict.fromkeys(
        ("first step", "last step"), (24, 5, 5)
    )
    assert ReactionDiffusion(dims=3).atoms(torch.zeros(1, 1, 8, 8, 8), Denoising())["last step"].shape == (78, 3, 3)

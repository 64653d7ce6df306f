"""The variational network with fields of experts: its size, one step by hand, and that it learns."""

import numpy as np
import pytest
import torch
from deepinv.physics import MRI
from learning import assert_equivariant_to_the_unit, assert_learns_one_image
from scipy.ndimage import convolve

from baselines.raw_to_image.foe_varnet import FILTERS, SLOPE, FieldsOfExperts, FoEVarNet


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_it_has_the_parameters_of_the_paper():
    assert sum(p.numel() for p in FoEVarNet(channels=2).parameters()) == 131_050


def test_its_functions_are_sums_of_the_papers_gaussians():
    step, z = FieldsOfExperts(2), torch.linspace(-150, 150, 401).reshape(1, 1, 1, -1).expand(1, FILTERS, 1, 401)
    weights = torch.randn(FILTERS, 31)
    with torch.no_grad():
        step.weights.copy_(weights)
        found = step.influence(z)[0, :, 0]
    centres = np.arange(-150, 151, 10)
    expected = weights.numpy() @ np.exp(-((np.linspace(-150, 150, 401) - centres[:, None]) ** 2) / (2 * 10**2))
    assert np.abs(found.numpy() - expected).max() < 0.03 * np.abs(expected).max()


def test_filters_have_norm_one_and_no_mean():
    filters = FieldsOfExperts(2).filters().detach()
    assert torch.allclose(filters.square().sum((1, 2, 3)), torch.ones(FILTERS))
    assert float(filters.sum((2, 3)).abs().max()) < 1e-5


def test_a_step_before_training_is_the_gradient_of_a_smoothness_term():
    """By SciPy's convolution of images mirrored at their edges, and its adjoint by autograd of ½ Σ (K_i x)²."""
    step = FieldsOfExperts(1)
    x = 10 * torch.randn(1, 1, 15, 13, dtype=torch.float64)
    kernels = step.filters()[:, 0].detach().double().numpy()
    responses = [convolve(x[0, 0].numpy(), k[::-1, ::-1], mode="reflect") for k in kernels]
    with torch.no_grad():
        found = float((step(x.float()).double() * x).sum())
    expected = SLOPE / FILTERS * sum((one**2).sum() for one in responses)  # <x, KᵀK x> = ‖K x‖²
    assert found == pytest.approx(expected, rel=0.02)


def test_the_filters_are_followed_by_their_adjoints():
    step, x, z = FieldsOfExperts(2), torch.randn(1, 2, 14, 12), torch.randn(1, FILTERS, 14, 12)
    seen = {}

    def kept(response):
        seen["response"] = response
        return z

    step.influence = kept
    with torch.no_grad():
        back = step(x)
    assert float((back * x).sum()) == pytest.approx(float((seen["response"] * z).sum()), rel=1e-4)


def test_before_training_it_keeps_what_was_measured():
    mask = (torch.rand(1, 1, 1, 16) < 0.5).float().expand(1, 2, 16, 16)
    physics = MRI(mask)
    y = physics.A(torch.randn(1, 2, 16, 16))
    method = FoEVarNet(channels=2, steps=3)
    for step in method.steps:
        torch.nn.init.zeros_(step.weights)
    with torch.no_grad():
        assert torch.allclose(method(y, physics), physics.A_adjoint(y), atol=1e-5)


def test_equivariant_to_the_unit():
    assert_equivariant_to_the_unit(FoEVarNet(channels=1, steps=2))


def test_learns_one_image():
    assert_learns_one_image(FoEVarNet(channels=1, steps=2), rate=3e-3, share=0.6)

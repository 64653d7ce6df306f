"""The variational network with fields of experts: its size, one step by hand, and that it learns."""

import numpy as np
import pytest
import torch
from deepinv.physics import MRI
from learning import assert_equivariant_to_the_unit, assert_learns_one_image
from scipy.signal import convolve2d, correlate2d

from baselines.raw_to_image.foe_varnet import FILTERS, SIDE, SLOPE, FieldsOfExperts, FoEVarNet


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
    """By SciPy's correlation with the filters, and its adjoint, on an image mirrored at its edges."""
    step, x = FieldsOfExperts(2), 10 * torch.randn(1, 2, 15, 13)
    wide = np.pad(x[0].double().numpy(), ((0, 0), (SIDE - 1, SIDE - 1), (SIDE - 1, SIDE - 1)), mode="symmetric")
    expected = np.zeros((2, 15, 13))
    for filters in step.filters().detach().double().numpy():
        response = sum(correlate2d(part, one, mode="valid") for part, one in zip(wide, filters, strict=True))
        expected += SLOPE / FILTERS * np.stack([convolve2d(response, one, mode="valid") for one in filters])
    with torch.no_grad():
        found = step(x)[0].numpy()
    assert np.abs(found - expected).max() < 0.01 * np.abs(expected).max()


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

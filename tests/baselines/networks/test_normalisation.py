"""Images in units of their root mean square, without their smooth phase."""

import math

import pytest
import torch

from baselines.networks.normalisation import PHASE_BANDWIDTH, Normalisation, smooth_phase


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_normalising_is_undone():
    x = torch.randn(2, 2, 8, 8)
    normalisation = Normalisation(x)
    assert torch.allclose(normalisation.undo(normalisation.normalise(x)), x, atol=1e-5)
    assert torch.allclose(normalisation.normalise(x).square().mean((1, 2, 3)), torch.ones(2), atol=1e-5)


def test_the_phase_that_is_removed_is_the_smooth_one():
    """Of a magnitude times e^{i(φ + ε)}, φ turning once over the image and ε jumping from pixel to pixel."""
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    phi = torch.sin(2 * torch.pi * rows / 64)
    epsilon = 0.5 * (-1.0) ** (rows + columns)
    image = torch.view_as_real(torch.polar(torch.ones(64, 64), phi + epsilon)).movedim(-1, 0)[None]
    found = smooth_phase(image)[0, 0]
    lost = 1 - math.exp(-0.5 * (1 / 64 / PHASE_BANDWIDTH) ** 2)  # of the frequency of φ, under the window
    assert float((found * torch.polar(torch.ones(64, 64), -phi)).angle().abs().max()) < lost < 0.2

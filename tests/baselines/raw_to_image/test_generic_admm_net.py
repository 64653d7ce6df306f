"""ADMM-CSNet: its size, the quadratic iteration before training, and that it learns."""

import pytest
import torch
from deepinv.physics import Denoising
from learning import assert_equivariant_to_the_unit, assert_learns_one_image

from baselines.raw_to_image.generic_admm_net import GenericAdmmNet


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_it_has_the_parameters_of_the_authors_file():
    """A stage: 128 filters W with biases, as many functions of 101 values, W' with one bias, ρ and η; at last a ρ."""
    stage = 128 * 25 + 128 + 128 * 101 + 128 * 25 + 1 + 2
    assert sum(p.numel() for p in GenericAdmmNet(stages=10, width=128).parameters()) == 10 * stage + 1 == 194_591


def test_untrained_it_is_the_proximal_point_iteration():
    """x_n = (x_0 + ρ x_{n−1})/(1 + ρ) from zero, where A is the identity: x_N = (1 − (ρ/(1 + ρ))^N) y."""
    y = torch.rand(2, 1, 9, 8)
    with torch.no_grad():
        found = GenericAdmmNet(stages=2, width=4)(y, Denoising())
    assert torch.allclose(found, (1 - (0.1 / 1.1) ** 3) * y, atol=1e-5)


def test_equivariant_to_the_unit():
    method = GenericAdmmNet(stages=2, width=4)
    for stage in method.stages:
        torch.nn.init.normal_(stage.synthesis.weight, std=0.05)
    assert_equivariant_to_the_unit(method)


def test_learns_one_image():
    assert_learns_one_image(GenericAdmmNet(stages=1, width=8), rate=5e-3, share=0.6)

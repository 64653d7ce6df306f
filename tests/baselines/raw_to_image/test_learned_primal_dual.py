"""Learned primal-dual: its unit, the axes of a measurement, and that it learns."""

import pytest
import torch
from learning import assert_equivariant_to_the_unit, assert_learns_one_image

from baselines.raw_to_image.learned_primal_dual import LearnedPrimalDual


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_further_axes_of_a_measurement_go_through_the_batch_and_back():
    method = LearnedPrimalDual(channels=2, measured_channels=2, width=4, iterations=1)
    y = torch.randn(3, 2, 5, 8, 6)  # five coils
    merged = method.merge(y)
    assert torch.equal(merged[4], y[0, :, 4])
    assert torch.equal(method.split(merged, y.shape[2:3]), y)


def test_equivariant_to_the_unit():
    method = LearnedPrimalDual(width=4, iterations=2)
    for parameter in method.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    assert_equivariant_to_the_unit(method)


def test_learns_one_image():
    assert_learns_one_image(LearnedPrimalDual(width=8, iterations=2), rate=3e-3, share=0.2)

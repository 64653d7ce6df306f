"""Networks take images of any size and start at zero."""

import pytest
import torch

from baselines.networks.unet import unet


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("shape", [(1, 1, 13, 10), (1, 1, 7, 8, 9)])
def test_a_network_keeps_any_size_and_starts_at_zero(shape):
    network = unet(1, 1, len(shape) - 2, width=4, levels=1)
    assert torch.equal(network(torch.randn(shape)), torch.zeros(shape))

"""A stack of convolutions takes images of any size, starts at zero, and reaches as far as its layers."""

import pytest
import torch

from baselines.networks.convnet import convnet


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("shape", [(1, 2, 13, 10), (1, 2, 7, 8, 9)])
def test_it_keeps_any_size_and_starts_at_zero(shape, folded):
    network = convnet(2, 3, len(shape) - 2, width=4, layers=3, folded=folded)
    assert torch.equal(network(torch.randn(shape)), torch.zeros(1, 3, *shape[2:]))


@pytest.mark.parametrize(("folded", "reach"), [(False, 3), (True, 7)])
def test_three_layers_reach_three_pixels_or_on_a_folded_image_three_blocks(folded, reach):
    """The second pixel of a block of 2x2 is seven pixels from the first pixel of the third block before it."""
    torch.manual_seed(0)
    network = convnet(1, 1, 2, width=8, layers=3, folded=folded)
    for parameter in network.parameters():
        torch.nn.init.uniform_(parameter, 0.1, 0.2)
    x = torch.rand(1, 1, 32, 32, requires_grad=True)
    (gradient,) = torch.autograd.grad(network(x)[0, 0, 16, 17], x)
    columns = gradient[0, 0].abs().sum(0).nonzero()[:, 0]
    assert int((columns - 17).abs().max()) == reach

"""AUTOMAP: its cost, the layers of its paper, sizes that come late, and that it learns an inverse transform."""

import pytest
import torch
from deepinv.physics import Denoising, LinearPhysics

from baselines.raw_to_image.automap import Automap, Dense
from bench.contract.toy_operators import toys
from bench.errors import BenchError


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def fully_connected(method):
    return sum(p.numel() for layer in (method.first, method.second) for p in layer.parameters())


def test_the_cost_of_the_paper():
    """128x128 pixels from 2 x 128x128 numbers: 805 million weights, and the biases of both layers."""
    with torch.device("meta"):
        method = Automap(most=10**9)
        method.size(2 * 128**2, 128**2, 128**2)
    assert fully_connected(method) == 805_306_368 + 2 * 128**2
    convolutions = (25 * 64 + 64) + (64 * 25 * 64 + 64) + (49 * 64 + 1)
    assert sum(p.numel() for p in method.parameters()) == fully_connected(method) + convolutions


def test_the_hidden_layer_is_as_wide_as_the_bound_allows():
    method = Automap(channels=2, most=20_000_000)
    with torch.device("meta"):
        method.first, method.second = Dense(), Dense()
        method.size(2 * 96**2, 2 * 96**2, 96**2)
    assert len(method.first.weight) == 542
    added = 2 * (2 * 96**2) + 1  # numbers of one more unit
    assert 20_000_000 - added < fully_connected(method) <= 20_000_000


def test_a_bound_that_is_too_low_names_the_cost():
    y = torch.rand(1, 1, 32, 32)
    with pytest.raises(BenchError, match=r"1024 measured numbers and 1024 pixels has 2.1e\+06 weights.* 9 of 1024"):
        Automap(most=20_000)(y, Denoising())


def test_another_size_is_one_line():
    method = Automap()
    with torch.no_grad():
        method(torch.rand(1, 1, 8, 8), Denoising())
        with pytest.raises(BenchError, match="made for 64 measured numbers and 64 pixels, and is given 72 and 72"):
            method(torch.rand(1, 1, 8, 9), Denoising())


def test_what_it_cannot_do_it_says_with_its_reason():
    reasons = {toy.track.name: Automap.supports(toy.track) for toy in toys()}
    assert reasons["rays"] is reasons["mri"] is reasons["multicoil"] is None
    assert "images of one size" in reasons["denoising"]
    assert reasons["dipole"].startswith("a layer from all voxels to all voxels has 1.2e10 weights (49 GB)")
    assert round((48**3) ** 2 / 1e10, 1) == 1.2
    assert round(4 * (48**3) ** 2 / 1e9) == 49


def test_its_layers_are_the_ones_of_the_paper():
    """tanh, tanh, two convolutions of 5x5 with ReLUs and a transposed one of 7x7, written out."""
    method, y = Automap(), torch.rand(2, 1, 6, 7)
    with torch.no_grad():
        found = method(y, Denoising())
        scale = y.square().mean((1, 2, 3), keepdim=True).sqrt()
        hidden = torch.tanh((y / scale).flatten(1) @ method.first.weight.T + method.first.bias)
        u = torch.tanh(hidden @ method.second.weight.T + method.second.bias).reshape(2, 1, 6, 7)
        for layer in (method.features[0], method.features[2]):
            u = torch.nn.functional.conv2d(u, layer.weight, layer.bias, padding=2).relu()
        kernel = method.last.weight.flip(2, 3).transpose(0, 1)
        u = torch.nn.functional.conv2d(u, kernel, method.last.bias, padding=3)
    assert torch.allclose(found, scale * u, atol=1e-5)


def test_weights_of_any_size_are_read():
    method, other, y = Automap(), Automap(), torch.rand(1, 1, 6, 6)
    with torch.no_grad():
        expected = method(y, Denoising())
        other.load_state_dict(method.state_dict())
        assert torch.equal(other(y, Denoising()), expected)
        other.load_state_dict(Automap().state_dict())  # of one that has not seen a measurement
    assert not other.first.weight.numel()


def test_an_optimiser_that_was_made_first_moves_layers_that_get_their_size_later():
    """It learns the inverse of a fixed permutation of the pixels, which no convolution can do, on new images too."""
    order = torch.randperm(16)

    class Shuffle(LinearPhysics):
        def A(self, x, **kwargs):
            return x.flatten(2)[..., order].reshape(x.shape)

        def A_adjoint(self, y, **kwargs):
            return y.flatten(2)[..., order.argsort()].reshape(y.shape)

        def direct(self, y):
            return y

    physics, method = Shuffle(), Automap()
    method.log = lambda *_, **__: None
    optimizer = torch.optim.Adam(method.parameters(), lr=2e-3)
    for _ in range(100):
        x = smooth(16)
        optimizer.zero_grad()
        method.training_step((x, physics.A(x), physics), 0).backward()
        optimizer.step()
    x = smooth(16)
    with torch.no_grad():
        error = (method(physics.A(x), physics) - x).square().mean()
    assert error < 0.1 * (physics.A(x) - x).square().mean()
    assert error < 0.2 * x.var()


def smooth(count):
    return torch.nn.functional.interpolate(torch.rand(count, 1, 2, 2), (4, 4), mode="bilinear")

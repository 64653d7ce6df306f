"""The operators of the contract tests hold the noise that they declare."""

import pytest
import torch
from deepinv.physics import GaussianNoise, ZeroNoise

from bench.contract.toy_operators import toys


@pytest.mark.parametrize("toy", toys(), ids=lambda toy: toy.track.name)
def test_the_noise_is_the_one_declared(toy):
    physics = toy.physics(toy.params)
    noise = toy.y - physics.A(toy.x)
    if toy.track.noise == "none":
        assert isinstance(physics.noise_model, ZeroNoise)
        assert torch.allclose(noise, torch.zeros_like(noise), atol=1e-6)
    else:
        assert isinstance(physics.noise_model, GaussianNoise)
        assert float(noise.std()) == pytest.approx(float(physics.noise_model.sigma), rel=0.2)


def test_both_kinds_of_data_are_there():
    assert {toy.track.noise for toy in toys()} == {"gaussian", "none"}


def test_its_operator_is_made_on_its_device():
    for toy in toys():
        moved = toy.on(torch.device("meta"))  # which refuses tensors of another device
        physics = moved.physics(moved.params)
        y = physics.A(moved.x)
        assert y.shape == toy.y.shape
        assert {tensor.device.type for tensor in (y, physics.A_adjoint(y), *physics.buffers())} == {"meta"}
        if toy.track.blind:
            blur = physics.with_kernel(torch.ones(3, 3, device="meta"))
            assert blur.A(moved.x).shape == toy.x.shape

"""The U-Net before training, and that it learns."""

import pytest
import torch
from deepinv.physics import MRI, Denoising, GaussianNoise, ZeroNoise
from learning import assert_equivariant_to_the_unit, assert_learns_one_image

from baselines.post_processing.unet import UNet
from bench.errors import BenchError


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_it_starts_as_direct():
    y = torch.randn(2, 1, 16, 16)
    assert torch.equal(UNet(width=4)(y, Denoising()), y)


def test_equivariant_to_the_unit():
    method = UNet(width=4)
    for parameter in method.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    assert_equivariant_to_the_unit(method)


def test_a_consistent_one_has_the_measurement_it_was_given_and_keeps_the_rest():
    mask = (torch.rand(1, 1, 16, 16) < 0.4).float()
    physics = MRI(mask.expand(1, 2, 16, 16), noise_model=ZeroNoise(), img_size=(2, 16, 16))
    plain, consistent = UNet(channels=2, width=4), UNet(channels=2, width=4, consistent=True)
    for parameter in plain.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    consistent.load_state_dict(plain.state_dict())
    y = physics.A(torch.randn(3, 2, 16, 16))
    expected, found = plain(y, physics), consistent(y, physics)
    assert (physics.A(expected) - y).norm() > 0.1 * y.norm()
    assert torch.allclose(physics.A(found), y, atol=1e-5)
    whole = MRI(torch.ones(1, 2, 16, 16), img_size=(2, 16, 16))
    assert torch.allclose((1 - mask) * whole.A(found), (1 - mask) * whole.A(expected), atol=1e-4)


def test_noisy_measurements_are_not_met_exactly():
    with pytest.raises(
        BenchError, match="only a measurement without noise can be met exactly, and this one has GaussianNoise"
    ):
        UNet(width=4, consistent=True)(torch.randn(1, 1, 16, 16), Denoising(GaussianNoise(0.1)))


def test_learns_one_image():
    assert_learns_one_image(UNet(width=8), rate=3e-3, share=0.1)

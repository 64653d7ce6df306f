"""MoDL: its size, its data step, and that it learns."""

import pytest
import torch
from deepinv.physics import Denoising
from learning import assert_equivariant_to_the_unit, assert_learns_one_image

from baselines.raw_to_image.modl import MoDL
from bench.contract.toy_operators import toys


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_its_size_does_not_depend_on_its_iterations():
    """Five convolutions of 3x3 pixels with biases, for complex images, and λ."""
    expected = (2 * 64 * 9 + 64) + 3 * (64 * 64 * 9 + 64) + (64 * 2 * 9 + 2) + 1
    for iterations in (1, 10):
        assert sum(p.numel() for p in MoDL(channels=2, iterations=iterations).parameters()) == expected


def test_a_denoiser_that_is_the_identity_leaves_the_image_at_the_data():
    y = torch.rand(1, 1, 12, 12)
    with torch.no_grad():
        assert torch.allclose(MoDL(width=4)(y, Denoising()), y, atol=1e-6)


def test_the_data_step_takes_measured_samples_and_keeps_the_others_of_the_denoiser():
    """One coil: k-space is (y + λ F z)/(1 + λ) where it is sampled, and F z elsewhere."""
    toy = next(toy for toy in toys() if toy.track.name == "mri")
    y, physics = toy.one(0)
    method = MoDL(channels=2, width=4, iterations=1)
    torch.nn.init.normal_(method.network.body[-1].weight, std=0.1)
    with torch.no_grad():
        x_hat = method(y, physics)
        method.log_lambda.fill_(20.0)
        z = method(y, physics)  # a very large λ keeps z
    mask, lam = toy.params["mask"][:1], 0.05
    kspace = physics.fft(z) if not hasattr(physics, "im_to_kspace") else physics.im_to_kspace(z)
    found = physics.fft(x_hat) if not hasattr(physics, "im_to_kspace") else physics.im_to_kspace(x_hat)
    assert torch.allclose(found, torch.where(mask > 0, (y + lam * kspace) / (1 + lam), kspace), atol=1e-4)


def test_equivariant_to_the_unit():
    method = MoDL(width=4, iterations=2)
    for parameter in method.network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    assert_equivariant_to_the_unit(method)


def test_learns_one_image():
    assert_learns_one_image(MoDL(width=8, iterations=2), rate=3e-3, share=0.5)

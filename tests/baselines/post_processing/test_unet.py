"""The U-Net before training, and that it learns."""

import pytest
import torch
from deepinv.physics import Denoising
from learning import assert_equivariant_to_the_unit, assert_learns_one_image

from baselines.post_processing.unet import UNet


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


def test_learns_one_image():
    assert_learns_one_image(UNet(width=8), rate=3e-3, share=0.1)

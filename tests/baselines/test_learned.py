"""What the learned methods are before training, and that they learn."""

import pytest
import torch
from deepinv.physics import MRI, BlurFFT, Denoising

from baselines.networks.normalisation import Frame
from baselines.networks.unet import extend, fold, unet, unfold
from baselines.post_processing.unet import UNet
from baselines.raw_to_image.learned_primal_dual import LearnedPrimalDual
from baselines.raw_to_image.varnet import VarNet


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("shape", [(2, 3, 4, 6), (1, 2, 4, 2, 6)])
def test_fold_is_undone(shape):
    x = torch.randn(shape)
    assert torch.equal(unfold(fold(x)), x)


def test_fold_is_pixel_unshuffle():
    x = torch.randn(2, 3, 4, 6)
    assert torch.equal(fold(x), torch.nn.functional.pixel_unshuffle(x, 2))


def test_extend_repeats_the_edge():
    x = torch.randn(1, 1, 3, 5)
    expected = torch.nn.functional.pad(x, (0, 3, 0, 1), mode="replicate")
    assert torch.equal(extend(x, 4), expected)


@pytest.mark.parametrize("shape", [(1, 1, 13, 10), (1, 1, 7, 8, 9)])
def test_a_network_keeps_any_size_and_starts_at_zero(shape):
    network = unet(1, 1, len(shape) - 2, width=4, levels=1)
    assert torch.equal(network(torch.randn(shape)), torch.zeros(shape))


def test_a_frame_is_left_as_it_was_entered():
    x = torch.randn(2, 2, 8, 8)
    frame = Frame(x)
    assert torch.allclose(frame.leave(frame.enter(x)), x, atol=1e-5)
    assert torch.allclose(frame.enter(x).square().mean((1, 2, 3)), torch.ones(2), atol=1e-5)


def test_unet_starts_as_direct():
    y = torch.randn(2, 1, 16, 16)
    assert torch.equal(UNet(width=4)(y, Denoising()), y)


@pytest.mark.parametrize("method", [UNet(width=4), LearnedPrimalDual(width=4, iterations=2)])
def test_equivariant_to_the_unit(method):
    physics = BlurFFT((1, 16, 16), torch.ones(1, 1, 3, 3) / 9)
    for parameter in method.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    y = torch.rand(1, 1, 16, 16)
    with torch.no_grad():
        assert torch.allclose(method(1e-3 * y, physics), 1e-3 * method(y, physics), atol=1e-8)


def test_varnet_starts_at_the_zero_filled_image():
    """Before training its steps replace what was measured, which a zero-filled image already agrees with."""
    mask = (torch.rand(1, 1, 1, 16) < 0.5).float().expand(1, 2, 16, 16)
    physics = MRI(mask)
    y = physics.A(torch.randn(1, 2, 16, 16))
    with torch.no_grad():
        x_hat = VarNet(width=4, cascades=2)(y, physics)
    assert torch.allclose(x_hat, physics.A_adjoint(y), atol=1e-5)


@pytest.mark.parametrize("make", [lambda: UNet(width=8), lambda: LearnedPrimalDual(width=8, iterations=2)])
def test_learns_one_image(make):
    physics = BlurFFT((1, 16, 16), torch.ones(1, 1, 5, 5) / 25)
    x = torch.nn.functional.interpolate(torch.rand(1, 1, 4, 4), scale_factor=4)
    y = physics.A(x)
    method = make()
    optimizer = torch.optim.Adam(method.parameters(), lr=3e-3)
    first = method.loss(method(y, physics), x).item()
    for _ in range(60):
        optimizer.zero_grad()
        loss = method.loss(method(y, physics), x)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1 * first

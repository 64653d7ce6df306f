"""ISTA-Net+: its size, its two parts, and that it learns."""

import pytest
import torch
from learning import assert_equivariant_to_the_unit, assert_learns_one_image, box_blur

from baselines.raw_to_image.ista_net import SYMMETRY, IstaNet


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_it_has_the_parameters_of_the_paper():
    assert sum(p.numel() for p in IstaNet().parameters()) == 336_978
    assert sum(p.numel() for p in IstaNet(phases=1).parameters()) == 37_442


def test_without_its_networks_it_is_gradient_descent():
    method, physics = IstaNet(phases=3), box_blur(3)
    y = physics.A(torch.rand(1, 1, 16, 16))
    for phase in method.phases:
        torch.nn.init.zeros_(phase.conv_G)
    x = physics.A_adjoint(y)
    norm2 = float(physics.mask.abs().max()) ** 2
    for _ in range(3):
        x = x - 0.5 * physics.A_adjoint(physics.A(x) - y) / norm2
    assert torch.allclose(method(y, physics), x, atol=1e-6)


def test_the_loss_asks_for_a_left_inverse():
    """Without a threshold, H̃ H D r − D r of the loss is what the phase itself adds, beyond G D r."""
    method, physics = IstaNet(phases=1, normalise=False), box_blur(3)
    phase = method.phases[0]
    x = torch.rand(2, 1, 16, 16)
    y = physics.A(x)
    with torch.no_grad():
        phase.soft_thr.zero_()
        phase.lambda_step.zero_()
        r = physics.A_adjoint(y)
        features = torch.nn.functional.conv2d(r, phase.conv_D, padding=1)
        back = torch.nn.functional.conv2d
        code = back(back(features, phase.conv1_forward, padding=1).relu(), phase.conv2_forward, padding=1)
        again = back(back(code, phase.conv1_backward, padding=1).relu(), phase.conv2_backward, padding=1)
        x_hat = r + back(again, phase.conv_G, padding=1)
        expected = (x_hat - x).square().mean() + SYMMETRY * (again - features).square().mean()
        method.log = lambda *_, **__: None
        assert torch.allclose(method.training_step((x, y, physics), 0), expected)


def test_equivariant_to_the_unit():
    assert_equivariant_to_the_unit(IstaNet(phases=2))


def test_learns_one_image():
    assert_learns_one_image(IstaNet(phases=2), rate=1e-3, share=0.2)

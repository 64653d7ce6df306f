"""Learned filtered backprojection: before training it is the known operator, and its filter and weights are learned."""

import math

import torch
from deepinv.physics import LinearPhysics

from baselines.raw_to_image.learned_fbp import LearnedFBP
from bench.contract.operators import direct
from tasks.physics.ct import CT
from tasks.physics.projector import Geometry

CT_SCAN = CT(Geometry(size=24, angles=tuple(torch.linspace(0, 2.2, 15).tolist()), bins=35))


def test_untrained_it_is_filtered_backprojection_to_the_bit():
    y = CT_SCAN.A(torch.rand(2, 1, 24, 24))
    assert torch.equal(LearnedFBP()(y, CT_SCAN), direct(y, CT_SCAN))


def test_a_filter_and_weights_that_were_taken_off_are_found_again():
    """y without its highest frequencies' strength and with a faulty part of the detector: training repairs both."""

    class Identity(LinearPhysics):
        def A_adjoint(self, y, **kwargs):
            return y

    torch.manual_seed(0)
    x = torch.randn(2, 1, 12, 32)
    frequency = torch.linspace(0, 1, 17)
    fault = torch.linspace(1.0, 0.5, 32)
    y = fault * torch.fft.irfft(torch.fft.rfft(x) * (1 - 0.5 * frequency), n=32)
    method, physics = LearnedFBP(), Identity()
    optimizer = torch.optim.Adam(method.parameters(), lr=3e-2)
    losses = []
    for _ in range(80):
        optimizer.zero_grad()
        loss = method.loss(method(y, physics), x)
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.1 * losses[0]
    assert method.log_weights[:, -1].mean() > method.log_weights[:, 0].mean() + 0.3
    assert method.log_filter[-4:].mean() > method.log_filter[:4].mean() + 0.3


def test_it_makes_up_for_the_views_that_a_limited_angle_misses():
    torch.manual_seed(0)
    physics = CT(Geometry.parallel(32, 40, arc=math.radians(120)))
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")

    def discs(count):
        """Images of three discs each, (count, 1, 32, 32)."""
        row, column, radius = torch.rand(3, count, 3, 1, 1)
        distance = torch.hypot(rows - 8 - 16 * row, columns - 8 - 16 * column)
        return (distance < 2 + 4 * radius).float().sum(1, keepdim=True)

    x, held_out = discs(32), discs(16)
    y = physics.A(x)
    method = LearnedFBP()
    optimizer = torch.optim.Adam(method.parameters(), lr=method.learning_rate)
    for _ in range(100):
        optimizer.zero_grad()
        method.loss(method(y, physics), x).backward()
        optimizer.step()
    with torch.no_grad():
        learned, fbp = (one(physics.A(held_out), physics) for one in (method, direct))
    # 1 dB at the least
    assert float((learned - held_out).square().mean()) < 0.8 * float((fbp - held_out).square().mean())

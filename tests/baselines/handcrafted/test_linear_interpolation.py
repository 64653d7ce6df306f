"""Interpolation across the trace of metal, where it is exact and where it must be none."""

import pytest
import torch
from scanned_disc import STARVED, disc, scan

from baselines.handcrafted.linear_interpolation import LinearInterpolation
from bench.contract import registry
from bench.contract.operators import direct


@pytest.fixture(scope="module")
def ct():
    return scan()


def test_without_metal_it_is_the_direct_reconstruction(ct):
    y = ct.A(0.2 * disc(28))
    assert torch.equal(LinearInterpolation()(y, ct), direct(y, ct))


def test_rays_that_are_linear_across_the_trace_come_back(ct):
    """A measurement that is linear along the detector has nothing else to lose in the trace."""
    slope = torch.linspace(1, 2, ct.geometry.bins).expand(1, 1, 60, -1).contiguous()
    trace = ct.A(disc(4, 3, -7)) > 0
    spoiled = torch.where(trace, STARVED, slope)
    assert torch.allclose(LinearInterpolation().fill(spoiled, trace, ct), slope, atol=1e-5)


def test_metal_that_hardens_its_rays_harms_the_disc_around_it_less(ct):
    body, metal = 0.2 * disc(28), disc(3, 5, 5)
    y = ct.A(body) + 20 * (1 - torch.exp(-ct.A(metal)))
    outside = (disc(26) > 0) & (disc(5, 5, 5) == 0)
    errors = [
        (method(y, ct) - direct(ct.A(body), ct))[outside].square().mean()
        for method in (lambda y, physics: direct(y, physics), LinearInterpolation())
    ]
    assert errors[1] < 0.01 * errors[0]


def test_the_metal_is_put_back(ct):
    y = ct.A(0.2 * disc(28) + 3 * disc(3))
    shown = direct(y, ct)
    assert torch.equal(LinearInterpolation()(y, ct)[disc(2) > 0], shown[disc(2) > 0])


def test_tracks_without_metal_are_told_why():
    reasons = {track.id: LinearInterpolation.supports(track) for track in registry.all_tracks()}
    assert reasons["ct:mini-metal"] is None
    assert "metal" in reasons["ct:mini"]
    assert sum(reason is None for reason in reasons.values()) == 1

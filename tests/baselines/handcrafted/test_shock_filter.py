"""The shock filter: its derivatives, what it does to an edge, and its unit."""

import pytest
import torch
from deepinv.physics import Denoising
from examples import blur, image

from baselines.handcrafted.shock_filter import ShockFilter, minmod_gradient, second_derivatives


def test_shock_filter_steepens_an_edge_and_keeps_its_extremes():
    ramp = (torch.linspace(-3, 3, 48, dtype=torch.float64)).sigmoid().expand(1, 1, 8, 48)
    sharp = ShockFilter(weight=1e-6, smoothing=0.0, softness=0.0, iterations=200)(ramp, Denoising())
    # The data term all but forbids a change at weight 1e-6 ...
    assert torch.allclose(sharp, ramp, atol=1e-2)
    # ... and lets the shock form at a large one.
    sharp = ShockFilter(weight=1e6, smoothing=0.0, softness=0.0, iterations=200)(ramp, Denoising())
    assert float(sharp.diff(dim=-1).max()) > 5 * float(ramp.diff(dim=-1).max())
    assert float(sharp.min()) >= float(ramp.min()) - 1e-6
    assert float(sharp.max()) <= float(ramp.max()) + 1e-6


def test_second_derivatives_of_a_paraboloid():
    """x = r²/2 has x_ηη = 1 along the radius, and 1 across."""
    side = torch.arange(-8, 9, dtype=torch.float64)
    x = 0.5 * (side[:, None] ** 2 + side**2)[None, None]
    along, across = second_derivatives(x)
    inside = (..., slice(2, -2), slice(2, -2))
    centre = (x[inside] == 0)[0, 0]
    assert torch.allclose(along[inside][0, 0][~centre], torch.tensor(1.0).double())
    assert torch.allclose(across[inside][0, 0][~centre], torch.tensor(1.0).double())
    assert float(minmod_gradient(x)[0, 0, 8, 12]) == pytest.approx(3.5)  # the smaller of the one-sided differences


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_shocks_do_not_depend_on_the_unit(unit):
    y, physics = image(1, 1, 16, 16), blur()
    method = ShockFilter(weight=1.0)
    assert torch.allclose(method(unit * y, physics) / unit, method(y, physics), rtol=1e-6)

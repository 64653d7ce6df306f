"""The variational network before training."""

import pytest
import torch
from deepinv.physics import MRI

from baselines.raw_to_image.varnet import VarNet


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_varnet_starts_at_the_zero_filled_image():
    """Before training its steps replace what was measured, which a zero-filled image already agrees with."""
    mask = (torch.rand(1, 1, 1, 16) < 0.5).float().expand(1, 2, 16, 16)
    physics = MRI(mask)
    y = physics.A(torch.randn(1, 2, 16, 16))
    with torch.no_grad():
        x_hat = VarNet(width=4, cascades=2)(y, physics)
    assert torch.allclose(x_hat, physics.A_adjoint(y), atol=1e-5)

"""Total generalized variation: what it leaves alone, and its adjoint."""

import pytest
import torch
from deepinv.physics import Denoising
from examples import image

from baselines.handcrafted.tgv import TGV, symmetrised_gradient, symmetrised_gradient_adjoint
from baselines.handcrafted.tv import TV


def test_tgv_keeps_a_slope_which_tv_lowers():
    """An affine image has no second derivative: it is its own minimiser, whatever λ is."""
    x = torch.linspace(0, 1, 12, dtype=torch.float64).expand(1, 1, 12, 12) + torch.linspace(0, 2, 12)[:, None]
    tgv, tv = (float((method(0.1, iterations=1000)(x, Denoising()) - x).abs().max()) for method in (TGV, TV))
    assert tgv < 0.05 * tv


@pytest.mark.parametrize("dims", [2, 3])
def test_symmetrised_gradient(dims):
    shape = (8, 6, 5)[:dims]
    w = image(dims, 1, 1, *shape)
    e = image(dims * (dims + 1) // 2, 1, 1, *shape, seed=1)
    ours = float((symmetrised_gradient(w) * e).sum())
    assert ours == pytest.approx(float((w * symmetrised_gradient_adjoint(e, dims)).sum()), rel=1e-12)
    turn = torch.stack(torch.meshgrid(*(torch.arange(n).double() for n in shape), indexing="ij"))
    field = torch.zeros(dims, 1, 1, *shape, dtype=torch.float64)
    field[0], field[1] = -turn[1], turn[0]  # a rotation is not deformed
    inside = (..., *(slice(0, n - 1) for n in shape))
    assert float(symmetrised_gradient(field)[inside].abs().max()) == pytest.approx(0, abs=1e-12)

"""Algebraic reconstruction against projections one by one."""

import pytest
import torch

from baselines.handcrafted.art import ART
from bench.contract.operators import rays
from bench.contract.toy_operators import toys


def toy(name):
    return next(toy for toy in toys() if toy.track.name == name)


@pytest.fixture(scope="module")
def ct():
    from tasks.physics.ct import CT
    from tasks.physics.projector import Geometry

    return CT(Geometry.parallel(16, 24))


def disc(size):
    side = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    return ((side[:, None] ** 2 + side**2) < (0.35 * size) ** 2).double()[None, None]


@pytest.mark.parametrize("variant", ["art", "sart", "sirt"])
def test_algebraic_reconstruction_of_exact_data_comes_to_the_image(ct, variant):
    x = disc(16)
    sweeps = 30 if variant != "sirt" else 1500
    found = ART(variant, sweeps=sweeps, relaxation=1.0)(ct.A(x), ct)
    assert float((found - x).abs().mean()) < 0.02
    assert float(found.min()) >= 0


def test_a_step_of_art_is_kaczmarz_projections_one_by_one(ct):
    y = ct.A(disc(16))
    part = rays(ct, y, slice(3, 4), slice(1, None, 4))
    rows = torch.from_numpy(ct.matrix.matrix.toarray()).reshape(24, -1, 16 * 16)[3, 1::4]
    x = torch.zeros(16 * 16, dtype=torch.float64)
    for row, b in zip(rows, part.of(y).flatten(), strict=True):
        square = row @ row
        x = x + (b - row @ x) / square * row if square > 0 else x
    norms = part.A(part.A_adjoint(torch.ones_like(part.of(y))))
    step = part.A_adjoint(torch.where(norms > 0, part.of(y) / norms, 0))
    assert torch.allclose(step.flatten(), x, atol=1e-12)


def test_parts_of_an_operator_are_what_it_measures(ct):
    x, y = disc(16), ct.A(disc(16))
    masked = rays(toy("rays").physics({}), toy("rays").y, slice(1, 2), slice(0, None, 3))
    assert torch.equal(masked.A(toy("rays").x), masked.of(toy("rays").physics({}).A(toy("rays").x)))
    part = rays(ct, y, slice(0, None, 7), slice(2, 20))
    assert torch.allclose(part.A(x), part.of(y))
    z = torch.rand_like(part.of(y))
    assert float((part.A(x) * z).sum()) == pytest.approx(float((x * part.A_adjoint(z)).sum()), rel=1e-12)

"""L2, SENSE and algebraic reconstruction against dense linear algebra."""

import numpy as np
import pytest
import torch
from deepinv.physics import BlurFFT, Denoising
from skimage.restoration import denoise_tv_chambolle

from baselines.conjugate_gradient import conjugate_gradient
from baselines.handcrafted.art import ART
from baselines.handcrafted.l2 import L2
from baselines.handcrafted.sense import Sense
from baselines.handcrafted.weighted_tv import WeightedTV
from baselines.transforms.finite_differences import gradient, gradient_adjoint
from bench.contract.operators import rays
from bench.contract.toy_operators import toys

SIDE = 12


def toy(name):
    return next(toy for toy in toys() if toy.track.name == name)


def dense(operator, shape):
    """The matrix of a linear map of images (1, *shape)."""
    basis = torch.eye(int(np.prod(shape)), dtype=torch.float64).reshape(-1, 1, *shape)
    return torch.stack([operator(e).flatten() for e in basis], 1)


def image(seed=0, channels=1):
    return torch.rand(1, channels, SIDE, SIDE, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_conjugate_gradients_solve_a_system_each():
    rng = torch.Generator().manual_seed(0)
    roots = torch.randn(3, 6, 6, dtype=torch.float64, generator=rng)
    M, b = roots @ roots.mT + torch.eye(6), torch.randn(3, 6, 1, dtype=torch.float64, generator=rng)
    b[1] = 0  # nothing to do, while the others go on
    x = conjugate_gradient(lambda x: M @ x, b, torch.zeros_like(b), 30)
    assert torch.allclose(x, torch.linalg.solve(M, b), atol=1e-9)


def test_l2_is_the_normal_equation_solved():
    physics = BlurFFT((1, SIDE, SIDE), torch.ones(1, 1, 3, 3, dtype=torch.float64) / 9)
    y = image()
    A = dense(physics.A, (1, SIDE, SIDE))
    D = dense(lambda x: gradient_adjoint(gradient(x)), (1, SIDE, SIDE))
    expected = torch.linalg.solve(A.T @ A + 0.1 * D, A.T @ y.flatten())
    found = L2(0.1, 500)(y, physics)
    assert torch.allclose(found.flatten(), expected, atol=1e-5)


def test_l2_in_closed_form_minimises_what_conjugate_gradients_do():
    """The gradient of the documented objective, on a dipole: of norm 2/3, and with differences that wrap around."""
    from tasks.physics.qsm import Dipole

    physics = Dipole()
    y = torch.zeros(1, 1, 10, 10, 10, dtype=torch.float64)
    y[..., 4:6, 4:6, 4:6] = 1
    found = L2(0.3)(y, physics)

    def normal_equation(x: torch.Tensor) -> torch.Tensor:
        around = sum(2 * x - x.roll(1, axis) - x.roll(-1, axis) for axis in (2, 3, 4))
        return physics.A_adjoint(physics.A(x) - y) / (2 / 3) ** 2 + 0.3 * around

    assert float(normal_equation(found).abs().max()) < 1e-6


def test_sense_is_the_regularised_least_squares_solution():
    multicoil = toy("multicoil")
    y, physics = multicoil.one(0)
    shape = physics.A_adjoint(y).shape[1:]
    basis = torch.eye(int(np.prod(shape))).reshape(-1, 1, *shape)
    A = torch.stack([physics.A(e).flatten() for e in basis], 1).double()
    expected = torch.linalg.solve(A.T @ A + 0.05 * torch.eye(A.shape[1]), A.T @ y.flatten().double())
    found = Sense(0.05, 200)(y, physics)
    assert torch.allclose(found.flatten().double(), expected, atol=1e-4)


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


def test_weighted_tv_with_no_edges_is_tv_and_finds_the_share_asked():
    y = image() + (torch.arange(SIDE) >= SIDE // 2)
    plain = WeightedTV(0.15, edges=0.0, iterations=2000)(y, Denoising())
    theirs = torch.from_numpy(denoise_tv_chambolle(y[0, 0].numpy(), weight=0.15, eps=1e-12, max_num_iter=20000))
    assert torch.allclose(plain[0, 0], theirs, atol=2e-3)
    weight = WeightedTV(edges=0.25).weight(y)
    assert float((weight < 1).double().mean()) == pytest.approx(0.25, abs=0.01)


def test_weighted_tv_lowers_an_edge_by_a_fifth_of_what_tv_does():
    """Of a step between halves of 6 columns each half moves by mλ/6 towards the other."""
    y = torch.zeros(1, 1, 12, 12, dtype=torch.float64)
    y[..., 6:] = 1
    found = WeightedTV(0.3, edges=1 / 12, iterations=2000)(y, Denoising())
    assert float(found[..., 6:].mean() - found[..., :6].mean()) == pytest.approx(1 - 2 * 0.2 * 0.3 / 6, abs=1e-4)

"""Linearized Bregman iterations against the minimisers that SciPy finds."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from deepinv.physics import LinearPhysics
from scipy.optimize import linprog, minimize

from baselines.functionals.data_fit import data_fit
from baselines.solvers.linearized_bregman import linearized_bregman

RNG = np.random.default_rng(0)
A = RNG.standard_normal((8, 20))
SPARSE = np.zeros(20)
SPARSE[[2, 7, 13]] = 1.0, -2.0, 0.5
WEIGHTS = np.where(np.arange(20) < 18, 1.0, 0.0)  # w: two coefficients are not penalised


class Matrix(LinearPhysics):
    """``matrix`` times the last axis."""

    def __init__(self, matrix):
        super().__init__()
        self.matrix = torch.from_numpy(matrix)
        self.operator_norm = np.linalg.norm(matrix, 2)

    def A(self, x, **kwargs):
        return x @ self.matrix.T

    def A_adjoint(self, y, **kwargs):
        return y @ self.matrix


def solve(y, mu, iterations, *, delta=1.0, weights=WEIGHTS, matrix=A, **options):
    """The last c, and all of them; ``y`` (B, C, m)."""
    physics, iterates = Matrix(matrix), []
    start = torch.zeros(*y.shape[:2], matrix.shape[1], dtype=torch.float64)
    f = data_fit(physics, y)
    c = linearized_bregman(start, f, mu * torch.from_numpy(weights), delta, iterations, iterates.append, **options)
    return c, iterates


def measured(x=SPARSE):
    return torch.from_numpy(A @ x)[None, None]


def by_dual(y, mu, delta):
    """argmin μ Σ w|c| + ‖c‖²/(2δ) with Ac = y: c = δ soft(Aᵀp, μw) at the p that maximises yᵀp − ‖c‖²/(2δ)."""

    def primal(p):
        v = A.T @ p
        return delta * np.sign(v) * np.maximum(np.abs(v) - mu * WEIGHTS, 0)

    def negative(p):
        c = primal(p)
        return c @ c / (2 * delta) - y @ p, A @ c - y

    found = minimize(negative, np.zeros(8), jac=True, method="BFGS", options={"gtol": 1e-10, "maxiter": 2000})
    return primal(found.x)


@pytest.mark.parametrize(("mu", "delta"), [(0.3, 1.0), (2.0, 1.0), (1.0, 1.8)])
def test_the_limit_is_the_minimiser_that_the_dual_problem_has(mu, delta):
    expected = by_dual(A @ SPARSE, mu, delta)
    assert np.abs(expected - A.T @ np.linalg.solve(A @ A.T, A @ SPARSE)).max() > 0.05  # not the one of least norm
    assert np.count_nonzero(expected) < 20
    c, _ = solve(measured(), mu, 4000, delta=delta)
    assert np.allclose(c[0, 0], expected, atol=1e-6)


def test_a_large_mu_gives_basis_pursuit():
    """min Σ|c| with Ac = y as a linear program in the positive and the negative parts of c."""
    tall = np.random.default_rng(1).standard_normal((14, 20))
    y = tall @ SPARSE
    found = linprog(np.ones(40), A_eq=np.hstack([tall, -tall]), b_eq=y, bounds=(0, None))
    expected = found.x[:20] - found.x[20:]
    options = {"weights": np.ones(20), "matrix": tall, "kick": True}
    large, small = (solve(torch.from_numpy(y)[None, None], mu, 2000, **options)[0][0, 0] for mu in (5.0, 0.1))
    assert np.allclose(large, expected, atol=2e-3)
    assert not np.allclose(small, expected, atol=0.05)


def test_the_residual_never_grows():
    _, iterates = solve(measured(), 2.0, 200)
    residuals = [float((Matrix(A).A(c) - measured()).norm()) for c in iterates]
    assert all(after <= before + 1e-12 for before, after in pairwise(residuals))


def test_kicking_skips_iterations_that_change_nothing():
    weights = np.ones(20)
    _, plain = solve(measured(), 30.0, 600, weights=weights)
    kicked, iterates = solve(measured(), 30.0, 60, weights=weights, kick=True)
    nearest = min(range(600), key=lambda k: float((plain[k] - kicked).abs().max()))
    assert torch.allclose(plain[nearest], kicked, atol=1e-5)
    assert nearest > 100
    assert float(kicked.abs().max()) > 0.5
    assert not iterates[0].any()
    assert iterates[1].count_nonzero() == 1  # after the first kick


def test_every_image_stops_by_itself_where_its_residual_is_small_enough():
    y = torch.cat([measured(), measured(np.roll(SPARSE, 3))])
    enough = torch.tensor([1e-2, 1e-3], dtype=torch.float64)
    c, _ = solve(y, 1.0, 4000, enough=enough)
    for i in range(2):
        alone, iterates = solve(y[i : i + 1], 1.0, 4000, enough=enough[i : i + 1])
        assert torch.allclose(c[i], alone[0], atol=1e-12)
        f = data_fit(Matrix(A), y[i : i + 1])
        assert f.value(iterates[-1]) <= enough[i] < f.value(iterates[-2])


def test_kicking_treats_every_image_of_a_batch_by_itself():
    y = torch.cat([measured(), measured(np.roll(SPARSE, 3))])
    together, _ = solve(y, 30.0, 30, weights=np.ones(20), kick=True)
    for i in range(2):
        alone, _ = solve(y[i : i + 1], 30.0, 30, weights=np.ones(20), kick=True)
        assert torch.allclose(together[i], alone[0], atol=1e-9)


@pytest.mark.parametrize("kick", [False, True])
def test_the_phase_of_complex_coefficients_does_not_matter(kick):
    """Real and imaginary part are two channels, and the threshold is one of their common length."""
    y = torch.cat([measured(), measured(np.roll(SPARSE, 1))], 1)
    turned = torch.stack([-y[:, 1], y[:, 0]], 1)
    (c, _), (c_turned, _) = (solve(one, 2.0, 100, kick=kick) for one in (y, turned))
    assert torch.allclose(torch.stack([-c[:, 1], c[:, 0]], 1), c_turned, atol=1e-12)
    assert torch.equal(c[:, 0] == 0, c[:, 1] == 0)

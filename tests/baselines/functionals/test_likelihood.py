"""The data terms against SciPy's densities and its scalar minimiser."""

import numpy as np
import pytest
import torch
from deepinv.physics import (
    GammaNoise,
    GaussianNoise,
    LaplaceNoise,
    PoissonNoise,
    RicianNoise,
    SaltPepperNoise,
    UniformNoise,
)
from scipy import stats
from scipy.optimize import minimize_scalar

from baselines.functionals.likelihood import CONVEX, LeastSquares, bessel_ratio, bessel_ratio_derivative, likelihood
from bench.errors import BenchError

GAIN, SCALE, LOOKS, SIGMA = 0.1, 0.12, 10.0, 0.16
NOISES = {
    "gaussian": GaussianNoise(SIGMA),
    "poisson": PoissonNoise(GAIN),
    "impulse": SaltPepperNoise(0.15, 0.15),
    "speckle": GammaNoise(LOOKS),
    "laplace": LaplaceNoise(SCALE),
    "rician": RicianNoise(SIGMA),
}
SMOOTH = ("gaussian", "poisson", "speckle", "rician")
NON_NEGATIVE = ("poisson", "speckle", "rician")


def draw(name, shape=(3, 1, 4, 5), seed=0):
    """Measurements y and exact ones z, unrelated, float64."""
    rng = np.random.default_rng(seed)
    y, z = rng.gamma(2.0, 0.3, shape), rng.uniform(0.01, 2.0, shape)
    if name == "poisson":
        y = GAIN * rng.poisson(3.0, shape)
    if name == "impulse":
        y = np.clip(y, 0, 1)
        y.flat[:2] = 0, 1
    return torch.from_numpy(y), torch.from_numpy(z)


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("step", [0.05, 1.0, 20.0])
def test_prox_is_the_minimiser_that_scipy_finds(name, step):
    y, z = draw(name)
    z = z - 0.5  # some are negative
    F = likelihood(y, NOISES[name])
    v = F.prox(z, step)
    assert v.shape == z.shape
    low, high, width = 0.0 if name in NON_NEGATIVE else -2.0, 6.0, 0.01

    def objective(at):
        return step * F.pointwise(at) + 0.5 * (at - z).square()

    grid = torch.arange(low, high, width).double()
    best = grid[torch.stack([objective(torch.full_like(z, float(at))) for at in grid]).argmin(0)]
    for index in np.ndindex(*z.shape):
        around = (max(low, float(best[index]) - width), float(best[index]) + width)
        found = minimize_scalar(
            lambda at, index=index: float(objective(torch.full_like(z, at))[index]),
            bounds=around,
            method="bounded",
            options={"xatol": 1e-10},
        )
        assert float(v[index]) == pytest.approx(found.x, abs=2e-6)


@pytest.mark.parametrize("name", SMOOTH)
def test_prox_is_an_implicit_gradient_step(name):
    y, z = draw(name)
    F = likelihood(y, NOISES[name])
    step = torch.tensor([0.1, 1.0, 10.0]).double()[:, None, None, None]
    v = F.prox(z, step)
    inside = v > 0
    assert bool(inside[y > 0].all())
    residual = v + step * F.gradient(v) - z
    assert float(residual[inside].abs().max()) < 1e-9
    assert torch.allclose(v[1:2], likelihood(y[1:2], NOISES[name]).prox(z[1:2], 1.0))


@pytest.mark.parametrize("name", NOISES)
def test_each_image_of_a_batch_is_on_its_own(name):
    y, z = draw(name)
    together = likelihood(y, NOISES[name]).value(z)
    assert together.shape == (3,)
    alone = torch.cat([likelihood(y[i : i + 1], NOISES[name]).value(z[i : i + 1]) for i in range(3)])
    assert torch.allclose(together, alone)


@pytest.mark.parametrize("name", SMOOTH)
def test_gradient_is_that_of_the_value(name):
    y, z = draw(name)
    F = likelihood(y, NOISES[name])
    gradient = torch.func.grad(lambda at: F.value(at).sum())(z)
    assert torch.allclose(F.gradient(z), gradient, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["gaussian", "rician"])
def test_the_curvature_stays_below_its_bound(name):
    y, z = draw(name)
    F = likelihood(y, NOISES[name])
    slope = torch.func.grad(lambda at: F.gradient(at).sum())(z)
    assert float(slope.max()) <= F.lipschitz * (1 + 1e-9)
    assert float(slope.max()) > 0.5 * F.lipschitz


@pytest.mark.parametrize(
    ("name", "log_density", "variance"),
    [
        ("gaussian", lambda y, z: stats.norm.logpdf(y, z, SIGMA), lambda y: SIGMA**2),
        ("poisson", lambda y, z: stats.poisson.logpmf(np.rint(y / GAIN), z / GAIN), lambda y: GAIN * y.mean()),
        ("laplace", lambda y, z: stats.laplace.logpdf(y, z, SCALE), lambda y: stats.laplace.var(scale=SCALE)),
        ("rician", lambda y, z: stats.rice.logpdf(y, z / SIGMA, scale=SIGMA), lambda y: SIGMA**2),
    ],
)
def test_it_is_the_log_density_times_the_variance(name, log_density, variance):
    """Up to a constant: differences between two exact measurements agree."""
    (y, z), (_, other) = draw(name, (1, 1, 6, 7)), draw(name, (1, 1, 6, 7), seed=1)
    F = likelihood(y, NOISES[name])
    found = F.pointwise(z) - F.pointwise(other)
    expected = -variance(y.numpy()) * (log_density(y.numpy(), z.numpy()) - log_density(y.numpy(), other.numpy()))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6, atol=1e-9)


def test_speckle_has_the_slope_of_the_gamma_density_at_the_mean_and_its_minimiser():
    """SciPy's density, differentiated by central differences."""
    rng = np.random.default_rng(0)
    truth, h = 0.4, 1e-5
    y = rng.gamma(LOOKS, truth / LOOKS, (1, 1, 100, 100))
    F = likelihood(torch.from_numpy(y), NOISES["speckle"])

    def minus_log_density(z):
        return -stats.gamma.logpdf(y, LOOKS, scale=z / LOOKS)

    def slope(z):
        return (minus_log_density(z + h) - minus_log_density(z - h)) / (2 * h)

    found = F.gradient(torch.full(y.shape, y.mean()).double()).numpy()
    np.testing.assert_allclose(
        found, truth**2 / LOOKS * slope(y.mean()), rtol=0.02, atol=1e-6
    )  # the variance is estimated
    flat = minimize_scalar(lambda z: minus_log_density(z).sum(), bounds=(0.1, 1.0), method="bounded").x
    assert float(F.gradient(torch.full(y.shape, flat).double()).mean()) == pytest.approx(0, abs=1e-5)


def test_salt_and_pepper_speaks_of_pixels_between_the_extremes():
    y = torch.tensor([0.0, 0.3, 1.0]).double()[None, None]
    F = likelihood(y, NOISES["impulse"])
    z = torch.full_like(y, 0.5)
    assert torch.equal(F.prox(z, 100.0)[0, 0], torch.tensor([0.5, 0.3, 0.5]).double())


def test_rician_is_convex_from_where_it_is_said_to_be():
    t = torch.linspace(1e-3, 60, 600_001, dtype=torch.float64)
    ratio = bessel_ratio(t)
    numeric = torch.gradient(ratio, spacing=(t,))[0]
    assert float((t.square() * numeric)[1:-1].max()) == pytest.approx(CONVEX**2, rel=1e-3)
    assert torch.allclose(bessel_ratio_derivative(t, ratio)[1:-1], numeric[1:-1], atol=1e-7)


@pytest.mark.parametrize("ratio", [1e-2, 1.0, 1e2, 1e5])
def test_the_rician_prox_holds_in_single_precision(ratio):
    """From y far below σ to y far above."""
    y, z = draw("rician", (2, 1, 16, 16))
    noise = RicianNoise(0.5 / ratio)
    double = likelihood(y, noise).prox(z, 1.0)
    single = likelihood(y.float(), noise).prox(z.float(), 1.0)
    assert float((double - single).abs().max()) < 1e-5


def test_least_squares_is_for_any_noise_and_for_the_unknown():
    y, z = draw("laplace")
    for F in (likelihood(y, NOISES["poisson"], "gaussian"), likelihood(y, UniformNoise()), likelihood(y, None)):
        assert isinstance(F, LeastSquares)
        assert torch.allclose(F.value(z), 0.5 * (z - y).square().sum((1, 2, 3)))
    with pytest.raises(BenchError, match="data=gauss"):
        likelihood(y, None, "gauss")


def test_the_absolute_error_has_no_gradient():
    y, z = draw("laplace")
    F = likelihood(y, NOISES["laplace"])
    assert F.lipschitz is None
    with pytest.raises(NotImplementedError, match="no gradient"):
        F.gradient(z)


@pytest.mark.parametrize("name", NOISES)
def test_a_black_image_has_a_finite_one(name):
    y = torch.zeros(2, 1, 4, 5)
    y[0] = 0.5
    F, z = likelihood(y, NOISES[name]), torch.full((2, 1, 4, 5), 0.1)
    assert torch.isfinite(F.prox(z, 0.5)).all()
    assert torch.isfinite(F.value(z)).all()

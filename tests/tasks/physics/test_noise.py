"""Noise against closed forms of its mean and variance, and against the noise model that declares it."""

import numpy as np
import pytest
import torch
from scipy import stats

from tasks.physics.noise import NOISES, gaussian, impulse, laplace, poisson, rician, speckle

DRAWS = 100_000
LEVELS = (0.0, 0.05, 0.5, 1.0)  # of the image
SIGMA = 40 / 255
CASES = {
    "gaussian": (gaussian(40), lambda z: (z, SIGMA**2)),
    "poisson": (poisson(10), lambda z: (z, z / 10)),
    "impulse": (impulse(0.3), lambda z: (0.7 * z + 0.15, 0.7 * z**2 + 0.15 - (0.7 * z + 0.15) ** 2)),
    "speckle": (speckle(10), lambda z: (z, z**2 / 10)),
    "laplace": (laplace(40), lambda z: (z, SIGMA**2)),
    "rician": (rician(40), lambda z: stats.rice.stats(z / SIGMA, scale=SIGMA)),
}


@pytest.fixture(params=CASES, name="case")
def _case(request: pytest.FixtureRequest):
    return CASES[request.param]


def draws(case, z: float, seed: int = 0) -> np.ndarray:
    return case[0].draw(np.full(DRAWS, z), np.random.default_rng(seed))


def test_every_noise_is_checked() -> None:
    assert set(CASES) == set(NOISES)


@pytest.mark.parametrize("z", LEVELS)
def test_mean_and_variance_are_those_of_the_law(case, z: float) -> None:
    y = draws(case, z)
    mean, variance = case[1](z)
    squares = (y - mean) ** 2
    error = 5 / DRAWS**0.5
    assert y.mean() == pytest.approx(float(mean), abs=error * y.std() + 1e-15)
    assert squares.mean() == pytest.approx(float(variance), abs=error * squares.std() + 1e-15)


@pytest.mark.parametrize("z", LEVELS)
def test_the_noise_model_draws_from_the_same_law(case, z: float) -> None:
    """Kolmogorov and Smirnov's test of two samples; of the seeds of a sound sampler one in a thousand fails."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        modelled = case[0].model()(torch.full((1, 1, 1, DRAWS), z)).flatten().double().numpy()
    assert np.isfinite(modelled).all()
    measured = draws(case, z).astype(np.float32).astype(float)
    # Counts over the peak differ in their last bits, and ties are what the test goes by.
    assert stats.ks_2samp(measured.round(6), modelled.round(6)).pvalue > 1e-3


def test_the_test_tells_laws_of_one_variance_apart() -> None:
    same = stats.ks_2samp(draws(CASES["gaussian"], 0.5), draws(CASES["laplace"], 0.5))
    assert same.pvalue < 1e-3


def test_pixels_are_independent(case) -> None:
    y = draws(case, 0.5)
    assert abs(np.corrcoef(y[1:], y[:-1])[0, 1]) < 5 / DRAWS**0.5


@pytest.mark.parametrize("name", NOISES)
def test_one_generator_state_gives_one_measurement(name: str) -> None:
    first, again, other = (draws(CASES[name], 0.5, seed) for seed in (3, 3, 4))
    assert first.dtype == np.float64
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)

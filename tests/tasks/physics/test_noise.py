"""Noise against closed forms of its mean and variance, and against the noise model that declares it."""

import numpy as np
import pytest
import torch
from scipy import stats

from tasks.physics.noise import (
    IMAGE_NOISES,
    complex_gaussian,
    gaussian,
    impulse,
    laplace,
    photon,
    poisson,
    rician,
    simulated_smooth,
    smooth,
    speckle,
)

DRAWS = 100_000
LEVELS = (0.0, 0.05, 0.5, 1.0)  # of the image
SIGMA = 40 / 255
CASES = {
    "gaussian": (gaussian(SIGMA), lambda z: (z, SIGMA**2)),
    "poisson": (poisson(10), lambda z: (z, z / 10)),
    "impulse": (impulse(0.3), lambda z: (0.7 * z + 0.15, 0.7 * z**2 + 0.15 - (0.7 * z + 0.15) ** 2)),
    "speckle": (speckle(10), lambda z: (z, z**2 / 10)),
    "laplace": (laplace(SIGMA), lambda z: (z, SIGMA**2)),
    "rician": (rician(SIGMA), lambda z: stats.rice.stats(z / SIGMA, scale=SIGMA)),
}


@pytest.fixture(params=CASES, name="case")
def _case(request: pytest.FixtureRequest):
    return CASES[request.param]


def draws(case, z: float, seed: int = 0) -> np.ndarray:
    return case[0].draw(np.full(DRAWS, z), np.random.default_rng(seed))


def test_every_noise_is_checked() -> None:
    assert set(CASES) == set(IMAGE_NOISES)


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


@pytest.mark.parametrize("name", IMAGE_NOISES)
def test_one_generator_state_gives_one_measurement(name: str) -> None:
    first, again, other = (draws(CASES[name], 0.5, seed) for seed in (3, 3, 4))
    assert first.dtype == np.float64
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_photon_noise_has_the_spread_of_its_counts() -> None:
    noise, line_integrals = photon(1e4), np.full(200_000, 1.5)
    spread = (1e4 * np.exp(-1.5)) ** -0.5  # delta method
    y = noise.draw(line_integrals, np.random.default_rng(0))
    assert y.mean() == pytest.approx(1.5, abs=1e-3)
    assert y.std() == pytest.approx(spread, rel=0.02)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        assert float(noise.model()(torch.from_numpy(line_integrals)).std()) == pytest.approx(spread, rel=0.02)


def test_a_bin_without_photons_is_clamped_to_one() -> None:
    assert photon(1e4).draw(np.array([1e3]), np.random.default_rng(0)) == pytest.approx(np.log(1e4))
    assert float(photon(1e4).model()(torch.tensor([1e3]))) == pytest.approx(np.log(1e4))


def test_complex_noise_has_its_deviation_in_both_parts() -> None:
    z = np.full(DRAWS, 0.3 - 0.2j)
    error = complex_gaussian(SIGMA).draw(z, np.random.default_rng(0)) - z
    for part in (error.real, error.imag):
        assert part.mean() == pytest.approx(0, abs=5 * SIGMA / DRAWS**0.5)
        assert part.std() == pytest.approx(SIGMA, rel=0.02)
    assert abs(np.corrcoef(error.real, error.imag)[0, 1]) < 5 / DRAWS**0.5


WHITE, SMOOTH, WIDTH, SIDE = 0.003, 0.005, 1.5, 48


def smooth_error(seed: int) -> np.ndarray:
    z = np.zeros((1, SIDE, SIDE, SIDE))
    return smooth(WHITE, SMOOTH, (WIDTH, WIDTH)).draw(z, np.random.default_rng(seed))[0]


def modelled_error(seed: int) -> np.ndarray:
    model = smooth(WHITE, SMOOTH, (WIDTH, WIDTH)).model()
    return model(torch.zeros(1, 1, SIDE, SIDE, SIDE), seed=seed)[0, 0].double().numpy()


def simulated_error(seed: int) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    return simulated_smooth(torch.zeros(1, SIDE, SIDE, SIDE), WHITE, SMOOTH, (WIDTH, WIDTH), [generator])[0].numpy()


@pytest.mark.parametrize("draw", [smooth_error, modelled_error, simulated_error])
def test_smooth_noise_has_its_variance_and_its_correlation(draw) -> None:
    error = draw(0)
    assert np.mean(error**2) == pytest.approx(WHITE**2 + SMOOTH**2, rel=0.03)
    for axis in range(3):
        for shift in (1, 2, 3):
            # White noise under a Gaussian of width s is correlated as exp(-d^2 / (4 s^2)); the white part is not.
            found = np.mean(error * np.roll(error, shift, axis)) / SMOOTH**2
            assert found == pytest.approx(np.exp(-(shift**2) / (4 * WIDTH**2)), abs=0.05)
    np.testing.assert_array_equal(error, draw(0))
    assert not np.array_equal(error, draw(1))


def test_the_model_of_smooth_noise_declares_the_rms_of_both_parts() -> None:
    assert float(smooth(3.0, 4.0, (1.0, 2.0)).model().sigma) == pytest.approx(5)

"""Deviations of known coverage, the conformal quantile by its definition, and curves counted out one by one."""

from math import ceil, erf, exp, inf, sqrt

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr

from tasks.metrics.calibration import ause, correlation, factor, ratios, scores, values

Z = 1.6448536269514722  # the 95 % quantile of the normal distribution
SIDE = 256  # a coverage of 90 % of so many pixels is known to 0.12 %
LEVEL = 0.9


def drawn(noise, seed=0, claimed=1.0):
    """An image x, x_hat with noise of known deviations, and what is claimed of these, each (1, 1, H, W)."""
    rng = np.random.default_rng(seed)
    sigma = rng.uniform(0.01, 0.2, (1, 1, SIDE, SIDE))
    x = rng.uniform(size=sigma.shape)
    law = rng.standard_normal if noise == "gaussian" else lambda shape: rng.laplace(0, sqrt(0.5), shape)
    x_hat, std = x + sigma * law(sigma.shape), claimed * sigma
    return tuple(torch.from_numpy(one) for one in (x_hat, std, x))


def judged(noise, claimed):
    found = [ratios(*drawn(noise, seed, claimed), {}) for seed in (1, 2)]
    q = factor(found, LEVEL)
    return q, scores(*drawn(noise, 3, claimed), {}, factor=q, level=LEVEL)


@pytest.mark.parametrize("claimed", [0.25, 1.0, 3.0])
def test_gaussian_deviations_cover_what_the_normal_distribution_says_and_calibration_mends_their_scale(claimed):
    q, found = judged("gaussian", claimed)
    assert found["coverage"] == pytest.approx(100 * erf(Z * claimed / sqrt(2)), abs=0.5)
    assert q == pytest.approx(Z / claimed, rel=0.01)
    assert found["calibrated_coverage"] == pytest.approx(90, abs=0.5)
    assert found["width"] == pytest.approx(2 * Z * 0.105, rel=0.02)  # the mean of sigma is 0.105


def test_calibration_covers_errors_of_another_law():
    q, found = judged("laplace", 1.0)
    assert found["coverage"] == pytest.approx(100 * (1 - exp(-sqrt(2) * Z)), abs=0.5)
    assert q == pytest.approx(-np.log(0.1) / sqrt(2), rel=0.02)
    assert found["calibrated_coverage"] == pytest.approx(90, abs=0.5)


@pytest.mark.parametrize("n", [9, 10, 19, 57, 69, 100, 1000])
@pytest.mark.parametrize("level", [0.5, 0.9])
def test_the_factor_is_the_conformal_quantile(n, level):
    ratio = np.random.default_rng(n).exponential(size=n)
    rank = ceil(round((n + 1) * level, 9)) / n
    expected = np.quantile(ratio, rank, method="inverted_cdf")
    parts = [torch.from_numpy(part) for part in np.array_split(ratio, 3)]
    assert factor(parts, level) == expected
    # exchangeable values: over all places of a new one among n, as many lie below the quantile as the level asks
    assert (ratio <= expected).sum() >= level * (n + 1)


def test_too_few_ratios_have_no_finite_factor():
    eight = torch.arange(8.0)
    assert factor([eight], LEVEL) == inf
    assert factor([torch.arange(9.0)], LEVEL) == 8
    with_zeros = torch.tensor([[[[0.0, 0.0, 1.0, 1.0]]]])
    x = torch.tensor([[[[0.0, 1.0, 0.5, 1.0]]]])
    assert ratios(x, with_zeros, torch.zeros_like(x), {}).tolist() == [0.0, inf, 0.5, 1.0]
    found = scores(x, with_zeros, torch.zeros_like(x), {}, factor=inf, level=LEVEL)
    assert found["calibrated_coverage"] == 100
    assert found["coverage"] == 75
    assert not np.isfinite(found["width"])


def one_by_one(order, error):
    """The mean error that is left when 0, 1, ... pixels are taken away in an order."""
    return [np.mean([error[i] for i in order[k:]]) for k in range(len(error))]


def test_ause_is_counted_out_one_by_one():
    rng = np.random.default_rng(0)
    std, error = rng.uniform(size=40), rng.exponential(size=40)
    by_std, by_error = (one_by_one(np.argsort(-one), error) for one in (std, error))
    expected = np.mean(np.subtract(by_std, by_error)) / error.mean()
    assert ause(torch.from_numpy(std), torch.from_numpy(error)) == pytest.approx(expected, rel=1e-12)


def test_values_of_equal_deviation_are_taken_away_in_random_order():
    rng = np.random.default_rng(0)
    std, error = rng.integers(0, 3, 12).astype(float), rng.exponential(size=12)
    curves = [one_by_one(sorted(rng.permutation(12), key=lambda i: -std[i]), error) for _ in range(4000)]
    expected = (np.mean(curves) - np.mean(one_by_one(np.argsort(-error), error))) / error.mean()
    assert ause(torch.from_numpy(std), torch.from_numpy(error)) == pytest.approx(expected, abs=0.01)


def test_a_deviation_that_orders_the_errors_has_no_area_and_one_that_reverses_them_the_largest():
    error = torch.rand(100, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    right, wrong, flat = (ause(std, error) for std in (3 * error, -error, torch.ones_like(error)))
    assert right == pytest.approx(0, abs=1e-12)
    assert wrong > flat > 0
    assert ause(error, torch.zeros(100)) == 0


def test_correlation_is_pearsons_and_zero_of_a_constant():
    a, b = torch.rand(2, 50, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert correlation(a, b) == pytest.approx(pearsonr(a.numpy(), b.numpy()).statistic, rel=1e-12)
    assert correlation(torch.full_like(b, 0.1), b) == correlation(a, torch.zeros_like(a)) == 0


def test_values_follow_the_conventions_of_the_tracks_metric():
    x = torch.rand(1, 2, 6, 6, dtype=torch.float64)
    x_hat, std = x + 0.1, torch.full_like(x, 0.2)
    assert values(x_hat, std, x, {}, on="real", data_range=1.0)[0].shape == (36,)
    assert values(x_hat, std, x, {}, on="magnitude")[0].shape == (72,)  # each channel has a deviation
    mask = {"mask": torch.zeros(1, 1, 6, 6)}
    mask["mask"][..., :2] = 1
    error, inside = values(x_hat, std, x, mask, mask=True)
    assert error.shape == inside.shape == (24,)
    assert torch.allclose(error, torch.full_like(error, 0.1))
    assert float(values(x_hat, std, x, mask, mask=True, demean=True)[0].max()) < 1e-12

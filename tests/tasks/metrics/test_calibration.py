"""Deviations of known coverage, the conformal quantile by its definition, and curves counted out one by one."""

from math import ceil, erf, exp, inf, sqrt

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter
from scipy.stats import pearsonr

from tasks.metrics.calibration import ause, calibrate, contrast, correlation, facts, quantile, scores, values

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
    calibration = calibrate([facts(*drawn(noise, seed, claimed), {}) for seed in (1, 2)], LEVEL)
    return calibration.factors, scores(*drawn(noise, 3, claimed), {}, calibration=calibration, level=LEVEL)


@pytest.mark.parametrize("claimed", [0.25, 1.0, 3.0])
def test_gaussian_deviations_cover_what_the_normal_distribution_says_and_calibration_mends_their_scale(claimed):
    factors, found = judged("gaussian", claimed)
    assert found["coverage"] == pytest.approx(100 * erf(Z * claimed / sqrt(2)), abs=0.5)
    assert len(factors) == 16
    assert np.mean(factors) == pytest.approx(Z / claimed, rel=0.02)
    assert found["calibrated_coverage"] == pytest.approx(90, abs=0.5)
    assert found["width"] == pytest.approx(2 * Z * 0.105, rel=0.02)  # the mean of sigma is 0.105


def test_calibration_covers_errors_of_another_law():
    factors, found = judged("laplace", 1.0)
    assert found["coverage"] == pytest.approx(100 * (1 - exp(-sqrt(2) * Z)), abs=0.5)
    assert np.mean(factors) == pytest.approx(-np.log(0.1) / sqrt(2), rel=0.03)
    assert found["calibrated_coverage"] == pytest.approx(90, abs=0.5)


@pytest.mark.parametrize("n", [9, 10, 19, 57, 69, 100, 1000])
@pytest.mark.parametrize("level", [0.5, 0.9])
def test_the_factor_is_the_conformal_quantile(n, level):
    ratio = np.random.default_rng(n).exponential(size=n)
    rank = ceil(round((n + 1) * level, 9)) / n
    expected = np.quantile(ratio, rank, method="inverted_cdf")
    assert quantile(torch.from_numpy(ratio), level) == expected
    # exchangeable values: over all places of a new one among n, as many lie below the quantile as the level asks
    assert (ratio <= expected).sum() >= level * (n + 1)


def textured(share, seed):
    """An image whose upper ``share`` is a chess board, where the error is three times as large, and a constant std."""
    rng = np.random.default_rng(seed)
    rough = (np.arange(SIDE) < share * SIDE)[:, None] * np.ones(SIDE)
    x = 0.4 * rough * (np.indices((SIDE, SIDE)).sum(0) % 2)
    x_hat = x + 0.01 * (1 + 2 * rough) * rng.standard_normal(x.shape)
    return tuple(torch.from_numpy(one[None, None]) for one in (x_hat, np.full_like(x, 0.01), x))


def test_images_with_more_edges_than_those_of_validation_are_covered_too():
    calibration = calibrate([facts(*textured(0.5, 0), {})], LEVEL)
    smooth, rough = calibration.factors[:2], calibration.factors[2:4]  # all values are of the first part by std
    assert np.mean(smooth) == pytest.approx(Z, rel=0.03)  # the error itself is a part of the contrast, so they differ
    assert np.mean(rough) == pytest.approx(3 * Z, rel=0.03)
    found = scores(*textured(0.9, 1), {}, calibration=calibration, level=LEVEL)
    assert found["calibrated_coverage"] == pytest.approx(90, abs=0.5)
    assert found["width"] == pytest.approx(2 * Z * 0.01 * (0.1 + 3 * 0.9), rel=0.03)
    pooled = quantile(facts(*textured(0.5, 0), {})[0], LEVEL)
    assert float((facts(*textured(0.9, 1), {})[0] <= pooled).double().mean()) < 0.85


def test_a_category_of_few_values_takes_the_factor_of_all():
    rng = np.random.default_rng(0)
    few = torch.from_numpy(np.stack([rng.exponential(size=399), rng.uniform(size=399), rng.uniform(size=399)]))
    assert set(calibrate([few[:, :150], few[:, 150:]], LEVEL).factors) == {quantile(few[0], LEVEL)}
    many = few.repeat(1, 5)
    assert len(set(calibrate([many], LEVEL).factors)) == 16


def test_a_value_has_the_factor_of_its_category():
    rng = np.random.default_rng(0)
    ratio, std, contrast = (torch.from_numpy(rng.uniform(size=6400)) for _ in range(3))
    calibration = calibrate([torch.stack([ratio, std, contrast])], LEVEL)
    of_each = calibration(std, contrast)
    for factor in set(calibration.factors):
        members = of_each == factor
        assert int(members.sum()) == 400
        assert factor == quantile(ratio[members], LEVEL)
    beyond = calibration(torch.tensor([-1.0, 9.0]).double(), torch.tensor([-1.0, 9.0]).double())
    assert beyond.tolist() == [calibration.factors[0], calibration.factors[-1]]


def test_too_few_ratios_have_no_finite_factor():
    eight = torch.arange(8.0)
    assert quantile(eight, LEVEL) == inf
    assert quantile(torch.arange(9.0), LEVEL) == 8
    with_zeros = torch.tensor([[[[0.0, 0.0, 1.0, 1.0]]]])
    x = torch.tensor([[[[0.0, 1.0, 0.5, 1.0]]]])
    found = facts(x, with_zeros, torch.zeros_like(x), {})
    assert found[0].tolist() == [0.0, inf, 0.5, 1.0]
    judged = scores(x, with_zeros, torch.zeros_like(x), {}, calibration=calibrate([found], LEVEL), level=LEVEL)
    assert judged["calibrated_coverage"] == 100
    assert judged["coverage"] == 75
    assert not np.isfinite(judged["width"])


@pytest.mark.parametrize("shape", [(1, 2, 9, 8), (1, 1, 7, 6, 5)])
def test_contrast_is_the_deviation_of_the_neighbourhood(shape):
    image = torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    window = (1, 1) + (5,) * (len(shape) - 2)
    mean, square = (uniform_filter(one.numpy(), window, mode="nearest") for one in (image, image**2))
    assert np.allclose(contrast(image), np.sqrt(square - mean**2), atol=1e-12)
    assert float(contrast(torch.full(shape, 0.3, dtype=torch.float64)).max()) < 1e-7


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
    error, inside, local = values(x_hat, std, x, mask, mask=True)
    assert error.shape == inside.shape == local.shape == (24,)
    assert torch.allclose(error, torch.full_like(error, 0.1))
    assert float(values(x_hat, std, x, mask, mask=True, demean=True)[0].max()) < 1e-12

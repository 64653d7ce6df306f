"""Image metrics against independent implementations and closed forms, in 2D and 3D."""

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio
from torchmetrics.functional.image import structural_similarity_index_measure

from tasks.metrics.image import psnr, psnr_of_best_shift, ssim

SHAPES = [(24, 30), (16, 18, 20)]


def pair(*shape, channels=1, noise=0.1):
    """An image and its reference, float64 (1, C, ...)."""
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(1, channels, *shape))
    return torch.from_numpy(x + noise * rng.standard_normal(x.shape)), torch.from_numpy(x)


@pytest.mark.parametrize("shape", SHAPES)
def test_psnr_is_that_of_scikit_image(shape):
    x_hat, x = pair(*shape)
    expected = peak_signal_noise_ratio(x.numpy(), x_hat.numpy(), data_range=2.0)
    assert psnr(x_hat, x, {}, data_range=2.0) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (2, -1), (-2, 2)])
def test_the_best_shift_is_found_and_undone(row, column):
    x_hat, x = pair(24, 30)
    inside = (..., slice(2, -2), slice(2, -2))
    expected = peak_signal_noise_ratio(x[inside].numpy(), x_hat[inside].numpy(), data_range=1.0)
    moved = x_hat.roll((row, column), (-2, -1))
    assert psnr_of_best_shift(moved, x, {}, data_range=1.0, reach=2) == pytest.approx(expected, abs=1e-10)
    assert psnr_of_best_shift(x_hat.roll(3, -1), x, {}, data_range=1.0, reach=2) < expected - 5


@pytest.mark.parametrize("shape", SHAPES)
def test_ssim_is_that_of_torchmetrics_inside_the_border(shape):
    x_hat, x = pair(*shape)
    _, similarity = structural_similarity_index_measure(
        x_hat, x, sigma=1.5, kernel_size=11, data_range=1.0, return_full_image=True
    )
    expected = similarity[(..., *[slice(5, -5)] * len(shape))].mean()
    assert ssim(x_hat, x, {}, data_range=1.0) == pytest.approx(float(expected), abs=1e-10)


def test_scores_keep_double_precision():
    x = torch.zeros(1, 1, 16, 16, dtype=torch.float64)
    x_hat = x + 2e-8
    expected = -20 * np.log10(2e-8)
    assert psnr(x_hat, x, {}, data_range=1.0) == pytest.approx(expected, abs=1e-6)
    assert psnr(1 + x_hat, 1 + x, {}, data_range=1.0) == pytest.approx(expected, abs=1e-6)

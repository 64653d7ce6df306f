"""The centre of k-space at even and odd sizes: an image and its measurement keep their origin."""

import numpy as np
import pytest
import torch

from tasks.mri import mini as declare
from tasks.scanners.mri import Scanner, fft

CPU = torch.device("cpu")


@pytest.mark.parametrize("shape", [(8, 10), (7, 9), (8, 9)])
def test_the_transform_is_the_written_out_sum_about_both_centres(shape):
    image = np.random.default_rng(0).standard_normal(shape)
    rows, columns = (np.arange(n) - n // 2 for n in shape)
    left, right = (np.exp(-2j * np.pi * np.outer(k, k) / len(k)) / len(k) ** 0.5 for k in (rows, columns))
    np.testing.assert_allclose(fft(image), left @ image @ right.T, atol=1e-12)
    np.testing.assert_allclose(fft(fft(image), inverse=True), image, atol=1e-12)


@pytest.mark.parametrize("size", [32, 33])
@pytest.mark.parametrize("coils", [0, 4])
@pytest.mark.parametrize("shift", [(0, 0), (3, -5)])
def test_a_point_stays_where_it_is(size, coils, shift):
    """Of an image of twice the side, whose k-space is cut to its centre."""
    track = declare("mini", "", coils, 2.0)
    scanner = Scanner({**track.options, "size": size, "noise": 0.0})
    image = np.zeros((2 * size, 2 * size), dtype=complex)
    image[size + 2 * shift[0], size + 2 * shift[1]] = 1.0
    x, y, params = scanner.measure({"image": image}, np.random.default_rng(0))
    expected = np.zeros((2, size, size))
    expected[0, size // 2 + shift[0], size // 2 + shift[1]] = 0.25  # the mean over four pixels
    np.testing.assert_allclose(x.numpy(), expected, atol=1e-12)
    params = {name: value[None] for name, value in params.items()}
    measured = scanner.physics(params, CPU).A(x[None].to(torch.float64))
    np.testing.assert_allclose(measured[0].numpy(), y.numpy(), atol=1e-6)

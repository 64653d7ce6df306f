"""Blur against scipy.ndimage, the Wiener filter against a dense solve, and the kernels."""

import numpy as np
import pytest
import torch
from deepinv.physics import GaussianNoise
from scipy import ndimage

from bench.contract.operators import Blind, direct
from tasks.deblurring import RANDOM
from tasks.physics.blind_blur import BlindBlur
from tasks.physics.blur import CircularBlur
from tasks.physics.blur_kernels import gaussian_kernel, motion_kernel, oblique_gaussian_kernel, random_kernel


@pytest.mark.parametrize("shape", [(12, 15), (13, 10)])
@pytest.mark.parametrize("size", [(5, 5), (4, 7), (3, 6)])
def test_is_scipy_s_convolution_with_a_wrapped_boundary(shape: tuple[int, int], size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    x, kernel = rng.standard_normal(shape), rng.standard_normal(size)
    expected = ndimage.convolve(x, kernel, mode="wrap")
    y = CircularBlur(torch.from_numpy(kernel)).A(torch.from_numpy(x)[None, None])[0, 0].numpy()
    np.testing.assert_allclose(y, expected, atol=1e-12)


def test_wiener_is_the_dense_solution() -> None:
    """With power 1 / f^2 the prior's precision is the (spectral) Laplacian, here as a dense matrix."""
    shape, ratio = (6, 5), 0.2
    physics = CircularBlur(gaussian_kernel(0.8, 3))
    units = torch.eye(30, dtype=torch.float64).reshape(30, 1, *shape)
    matrix = physics.A(units).flatten(1).T.numpy()
    f = np.hypot(np.fft.fftfreq(6)[:, None], np.fft.fftfreq(5)[None, :])
    prior = np.fft.ifft2((f / 0.5) ** 2 * np.fft.fft2(units.numpy()[:, 0])).real.reshape(30, 30).T
    y = np.random.default_rng(0).standard_normal(shape)
    expected = np.linalg.solve(matrix.T @ matrix + ratio * prior, matrix.T @ y.ravel())
    x_hat = physics.direct(torch.from_numpy(y)[None, None], noise_to_signal=ratio)
    np.testing.assert_allclose(x_hat.numpy().ravel(), expected, atol=1e-10)


def test_gaussian_kernel_has_its_width() -> None:
    kernel = gaussian_kernel(1.6, 25)
    offset = torch.arange(25) - 12
    assert float(kernel.sum()) == pytest.approx(1)
    assert float((kernel.sum(0) * offset**2).sum()) == pytest.approx(1.6**2, rel=1e-6)


def test_motion_kernel_is_a_fixed_connected_path() -> None:
    kernel = motion_kernel(3, 25, 18.0)
    assert torch.equal(kernel, motion_kernel(3, 25, 18.0))
    assert not torch.equal(kernel, motion_kernel(4, 25, 18.0))
    assert float(kernel.sum()) == pytest.approx(1)
    assert float(kernel.min()) == 0
    rows, columns = np.indices(kernel.shape) - 12
    assert abs(float((kernel.numpy() * rows).sum())) < 1e-9
    assert abs(float((kernel.numpy() * columns).sum())) < 1e-9
    assert ndimage.label(kernel.numpy() > 0, structure=np.ones((3, 3)))[1] == 1
    with pytest.raises(ValueError, match="leaves a kernel of 5 x 5"):
        motion_kernel(3, 5, 18.0)


def test_oblique_gaussian_kernel_has_its_covariance() -> None:
    """That of a turned Gaussian; an upright and round one is the other Gaussian kernel."""
    kernel, angle = oblique_gaussian_kernel((2.0, 1.0), 0.6, 31), 0.6
    rows, columns = np.indices(kernel.shape) - 15
    axis = np.array([np.sin(angle), np.cos(angle)])
    expected = np.eye(2) + 3 * np.outer(axis, axis)
    position = np.stack([rows.ravel(), columns.ravel()])
    np.testing.assert_allclose(position * kernel.numpy().ravel() @ position.T, expected, rtol=1e-4)
    torch.testing.assert_close(oblique_gaussian_kernel((1.3, 1.3), 0.6, 15), gaussian_kernel(1.3, 15))


def test_random_kernels_are_centred_and_differ() -> None:
    """Of the ranges that the blind track declares, whatever the draw; both kinds are drawn."""
    declared = {key: value for key, value in RANDOM.items() if key != "kind"}
    rng = np.random.default_rng(0)
    kernels = torch.stack([random_kernel(rng, **declared) for _ in range(200)])
    offset = torch.arange(15.0, dtype=torch.float64) - 7
    assert kernels.shape == (200, 15, 15)
    assert float(kernels.min()) >= 0
    torch.testing.assert_close(kernels.sum((1, 2)), torch.ones(200, dtype=torch.float64))
    assert float((kernels.sum(1) @ offset).abs().max()) < 1e-9
    assert float((kernels.sum(2) @ offset).abs().max()) < 1e-9
    assert len({kernel.numpy().tobytes() for kernel in kernels}) == 200
    assert 60 < int((kernels == 0).any(2).any(1).sum()) < 140  # paths leave pixels untouched


def test_a_blind_blur_is_the_blur_by_the_kernel_it_is_given() -> None:
    x, kernel = torch.rand(2, 1, 12, 10, generator=torch.Generator().manual_seed(0)), gaussian_kernel(1.0, 5)
    physics = BlindBlur(5, GaussianNoise(0.01))
    assert isinstance(physics, Blind)
    assert torch.equal(physics.A(x), x)
    assert torch.equal(direct(x, physics), x)
    known = physics.with_kernel(kernel)
    assert torch.equal(known.A(x), CircularBlur(kernel).A(x))
    assert known.noise_model is physics.noise_model


def test_a_kernel_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="a kernel of 9 x 9 does not fit an image of 8 x 8"):
        CircularBlur(gaussian_kernel(1.0, 9)).A(torch.zeros(1, 1, 8, 8))

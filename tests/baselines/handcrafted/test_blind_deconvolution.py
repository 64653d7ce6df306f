"""Blind deconvolution: its kernel against the true one, and each of its steps against an independent solution."""

import numpy as np
import pytest
import torch
from deepinv.physics import Denoising
from scipy.optimize import minimize
from skimage.data import camera

from baselines.handcrafted.blind_deconvolution import (
    BlindDeconvolution,
    centre,
    estimate,
    fit_kernel,
    gradient,
    gradient_adjoint,
    laplacian_spectrum,
    minimise_on_simplex,
    project_on_simplex,
    reduce,
    sharpen,
    transfer_function,
)
from baselines.handcrafted.tv import TV
from bench.contract.toy_operators import Blur, UnknownBlur, toys

PATH = torch.tensor(
    [
        [0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 2, 2, 0],
        [0, 0, 0, 3, 1, 0, 0],
        [0, 0, 3, 2, 0, 0, 0],
        [0, 1, 3, 0, 0, 0, 0],
        [0, 2, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0],
    ]
).float()


def kernel():
    return centre(PATH / PATH.sum())


def image(top=100, left=200, side=64):
    return torch.from_numpy(camera()[top : top + side, left : left + side] / 255).float()[None, None]


def blurred(x, h, noise=2 / 255):
    y = Blur(tuple(x.shape[1:]), h[None, None]).A(x)
    return y + noise * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def correlation(a, b):
    return float((a * b).sum() / (a.norm() * b.norm()))


def test_it_finds_the_kernel_and_the_image():
    x, h = image(), kernel()
    y = blurred(x, h)
    found = estimate(y, 7, 0.5)
    delta = torch.zeros(7, 7)
    delta[3, 3] = 1
    assert correlation(found, h) > 0.9 > correlation(delta, h) + 0.3
    physics = UnknownBlur(tuple(x.shape[2:]))
    physics.kernel_size = 7
    x_hat = BlindDeconvolution()(y, physics)
    known, blind, nothing = (float((image - x).norm()) for image in (deconvolved(y, h), x_hat, y))
    assert known < blind < 0.8 * nothing
    assert torch.equal(BlindDeconvolution().atoms(y, physics)["kernel"], found[None])


def deconvolved(y, h):
    """By plain total variation with the true kernel."""
    return TV(lam=0.002)(y, Blur(tuple(y.shape[1:]), h[None, None]))


@pytest.mark.parametrize("size", [1, 2, 3, 6, 9])
def test_a_kernel_is_on_the_simplex_and_centred(size):
    h = estimate(blurred(image(side=40), kernel()), size, 0.5)
    offset = torch.arange(len(h)).float() - len(h) // 2
    assert h.shape == (size - 1 + size % 2,) * 2
    assert float(h.min()) >= 0
    assert float(h.sum()) == pytest.approx(1, abs=1e-5)
    assert abs(float(h.sum(0) @ offset)) < 0.1  # what leaves the support moves it a little
    assert abs(float(h.sum(1) @ offset)) < 0.1


def test_an_even_image_is_left_as_it_is():
    y = torch.full((1, 1, 24, 20), 0.3)
    physics = UnknownBlur((24, 20))
    assert torch.allclose(BlindDeconvolution()(y, physics), y, atol=1e-5)


def test_projection_on_the_simplex():
    v = randn(20)
    h = project_on_simplex(v)
    solution = minimize(
        lambda u: ((u - v.numpy()) ** 2).sum(),
        np.full(20, 0.05),
        bounds=[(0, None)] * 20,
        constraints={"type": "eq", "fun": lambda u: u.sum() - 1},
        tol=1e-12,
    )
    np.testing.assert_allclose(h.numpy(), solution.x, atol=1e-5)
    assert torch.allclose(project_on_simplex(h), h)


def test_the_kernel_step_is_the_constrained_least_squares():
    """Of the convolution written as a matrix, by another solver; and it is never above where it starts."""
    x, y, h = randn(1, 1, 12, 11), randn(1, 1, 12, 11, seed=1), torch.full((3, 3), 1 / 9, dtype=torch.float64)
    slope, slope_y = gradient(x), gradient(y)
    shifts = [(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1)]
    matrix = torch.stack([slope.roll(shift, (-2, -1)).flatten() for shift in shifts], 1).numpy()
    target, ridge = slope_y.flatten().numpy(), 1e-3 * float(slope.square().sum())

    def objective(h):
        return 0.5 * ((matrix @ h - target) ** 2).sum() + 0.5 * ridge * (h**2).sum()

    start = h.flatten().numpy()
    solution = minimize(
        objective,
        start,
        bounds=[(0, None)] * 9,
        constraints={"type": "eq", "fun": lambda u: u.sum() - 1},
        tol=1e-12,
    )
    found = fit_kernel(slope, slope_y, h).flatten().numpy()
    assert (solution.x < 1e-6).any()  # the bounds are active
    np.testing.assert_allclose(found, solution.x, atol=1e-4)
    assert objective(found) <= objective(start)


def test_no_step_to_a_kernel_ends_above_its_start():
    for seed in range(5):
        root, b = randn(30, 25, seed=seed), randn(25, seed=seed + 10)
        M, start = root.T @ root, project_on_simplex(randn(25, seed=seed + 20))

        def objective(h, M=M, b=b):
            return float(0.5 * h @ M @ h - b @ h)

        first = minimise_on_simplex(M, b, start)
        second = minimise_on_simplex(M, b, first)
        assert objective(second) <= objective(first) + 1e-12
        assert objective(first) < objective(start)
        slope = M @ second - b  # at the minimum, flat on the support and nowhere lower off it
        support = second > 1e-6
        assert float(slope[support].max() - slope.min()) < 1e-3 * float(slope.abs().max())


def test_gradients_of_an_image_without_blur_and_noise_are_its_edges():
    """Blocks, a delta and a small λ: the splitting ends with the gradient itself; a large λ leaves none."""
    x = randn(1, 1, 4, 5).repeat_interleave(6, 2).repeat_interleave(6, 3)
    delta = torch.ones(1, 1, dtype=torch.float64)
    assert float((sharpen(x, delta, 1e-3) - gradient(x)).norm() / gradient(x).norm()) < 0.01
    assert not sharpen(x / 10, delta, 1e2).any()


def test_differences_transfer_functions_and_their_spectra():
    x, p, h = randn(1, 2, 9, 8), randn(2, 1, 2, 9, 8, seed=1), randn(3, 3, seed=2)
    assert float((gradient(x) * p).sum()) == pytest.approx(float((x * gradient_adjoint(p)).sum()))
    laplacian = torch.fft.irfft2(laplacian_spectrum(x) * torch.fft.rfft2(x), s=(9, 8))
    assert torch.allclose(laplacian, gradient_adjoint(gradient(x)))
    convolved = torch.fft.irfft2(transfer_function(h, (9, 8)) * torch.fft.rfft2(x), s=(9, 8))
    shifted = [h[i, j] * x.roll((i - 1, j - 1), (-2, -1)) for i in range(3) for j in range(3)]
    assert torch.allclose(convolved, sum(shifted))


@pytest.mark.parametrize("shape", [(24, 20), (25, 31)])
def test_a_coarser_grid_shows_the_same_waves(shape):
    rows, columns = (torch.arange(n, dtype=torch.float64) / n for n in shape)
    coarse = tuple(round(n / 2**0.5) for n in shape)
    wave = torch.cos(2 * torch.pi * (rows[:, None] + 2 * columns))[None, None]
    rows, columns = (torch.arange(n, dtype=torch.float64) / n for n in coarse)
    expected = torch.cos(2 * torch.pi * (rows[:, None] + 2 * columns))
    frequency = (1 / coarse[0]) ** 2 + (2 / coarse[1]) ** 2
    damped = expected * np.exp(-2 * np.pi**2 * 0.25 * frequency)
    assert torch.allclose(reduce(wave, 2**-0.5)[0, 0], damped, atol=1e-12)


def test_it_asks_for_a_blind_track():
    supported = {toy.track.name for toy in toys() if BlindDeconvolution.supports(toy.track) is None}
    assert supported == {"blind blur"}
    with pytest.raises(AssertionError):
        BlindDeconvolution()(torch.zeros(1, 1, 16, 16), Denoising())

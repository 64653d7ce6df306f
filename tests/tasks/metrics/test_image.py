"""Every metric against an independent implementation or a closed form, in 2D and 3D."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, gaussian_laplace
from skimage.metrics import peak_signal_noise_ratio
from torchmetrics.functional.image import structural_similarity_index_measure

from tasks.metrics.image import hfen, nmse, nrmse, psnr, psnr_of_best_shift, ssim, xsim

SHAPES = [(24, 30), (16, 18, 20)]


def pair(*shape, channels=1, noise=0.1):
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


def test_views_of_a_complex_image():
    x_hat, x = pair(24, 30, channels=2)
    a, b = (np.ascontiguousarray(t[0].permute(1, 2, 0).numpy()).view(complex)[..., 0] for t in (x_hat, x))
    assert psnr(x_hat, x, {}, data_range=1.0, on="real") == pytest.approx(
        peak_signal_noise_ratio(b.real, a.real, data_range=1.0), abs=1e-10
    )
    assert psnr(x_hat, x, {}, data_range=1.0, on="magnitude") == pytest.approx(
        peak_signal_noise_ratio(abs(b), abs(a), data_range=1.0), abs=1e-10
    )
    assert nmse(x_hat, x, {}) == pytest.approx(np.linalg.norm(a - b) ** 2 / np.linalg.norm(b) ** 2)


@pytest.mark.parametrize("shape", SHAPES)
def test_nrmse_is_that_of_the_demeaned_masked_maps(shape):
    x_hat, x = pair(*shape)
    mask = (torch.rand(1, 1, *shape, generator=torch.Generator().manual_seed(0)) < 0.5).double()
    a, b = (t.numpy()[mask.numpy() > 0] for t in (x_hat, x))
    a, b = a - a.mean(), b - b.mean()
    expected = 100 * np.linalg.norm(a - b) / np.linalg.norm(b)
    assert nrmse(x_hat, x, {"mask": mask}) == pytest.approx(expected)
    assert nrmse(x_hat + 3, x - 5, {"mask": mask}) == pytest.approx(expected)
    assert nrmse(x_hat + (1 - mask) * 9, x, {"mask": mask}) == pytest.approx(expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_hfen_follows_a_laplacian_of_a_gaussian(shape):
    x_hat, x = pair(*shape)
    centred = (x_hat - x_hat.mean(), x - x.mean())
    a, b = (gaussian_laplace(t[0, 0].numpy(), 1.5, mode="constant", truncate=7 / 1.5) for t in centred)
    expected = 100 * np.linalg.norm(a - b) / np.linalg.norm(b)
    # SciPy's kernel differs by the small shift that makes its sum zero.
    assert hfen(x_hat, x, {}, mask=False) == pytest.approx(expected, rel=1e-3)


def test_hfen_follows_the_kernel_of_the_challenge():
    x_hat, x = pair(20, 20, 20)
    mask = torch.zeros(1, 1, 20, 20, 20, dtype=torch.float64)
    mask[..., 3:15, 4:16, 5:18] = 1
    r = np.arange(-7, 8)
    squares = (r**2)[:, None, None] + (r**2)[:, None] + r**2
    g = np.exp(-squares / (2 * 1.5**2))
    kernel = (squares / 1.5**4 - 3 / 1.5**2) * g / g.sum()
    kernel -= kernel.mean()

    def filtered(t):
        image = t[0, 0].numpy() * mask[0, 0].numpy()
        padded = np.pad(image, 7)
        windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape)
        return np.einsum("abcijk,ijk->abc", windows, kernel)

    a, b = filtered(x_hat), filtered(x)
    expected = 100 * np.linalg.norm(a - b) / np.linalg.norm(b)
    assert hfen(x_hat, x, {"mask": mask}, demean=False) == pytest.approx(expected, rel=1e-10)


def test_xsim_is_ssim_with_its_constants():
    x_hat, x = (0.1 * t for t in pair(12, 14, 16))
    mask = torch.zeros(1, 1, 12, 14, 16, dtype=torch.float64)
    mask[..., 1:9, 2:, :-3] = 1
    a, b = ((t * mask)[0, 0].numpy() for t in (x_hat, x))
    average = partial(gaussian_filter, sigma=1.5, truncate=2, mode="constant")  # 7 voxels
    mu_a, mu_b = average(a), average(b)
    var_a, var_b, cov = average(a * a) - mu_a**2, average(b * b) - mu_b**2, average(a * b) - mu_a * mu_b
    c1, c2 = 0.01**2, 0.001**2
    similarity = (2 * mu_a * mu_b + c1) * (2 * cov + c2) / ((mu_a**2 + mu_b**2 + c1) * (var_a + var_b + c2))
    expected = similarity[mask[0, 0].numpy() > 0].mean()
    assert xsim(x_hat, x, {"mask": mask}, demean=False) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("metric", [nrmse, hfen, xsim, nmse])
def test_a_perfect_reconstruction(metric):
    _, x = pair(16, 16, 16)
    assert metric(x, x, {"mask": torch.ones_like(x)}) == pytest.approx(1 if metric is xsim else 0, abs=1e-12)


def test_scores_keep_double_precision():
    x = torch.zeros(1, 1, 16, 16, dtype=torch.float64)
    x_hat = x + 1e-12
    assert psnr(x_hat, x, {}, data_range=1.0) == pytest.approx(240, abs=1e-6)
    assert psnr(1 + x_hat, 1 + x, {}, data_range=1.0) == pytest.approx(240, abs=1e-2)


@pytest.mark.parametrize(
    ("shapes", "params", "options", "message"),
    [
        (((1, 1, 8, 8), (1, 1, 8, 9)), {}, {}, "of one shape"),
        (((2, 1, 8, 8), (2, 1, 8, 8)), {}, {}, r"\(1, C, H, W\)"),
        (((1, 8, 8), (1, 8, 8)), {}, {}, r"\(1, C, H, W\)"),
        (((1, 1, 8, 8), (1, 1, 8, 8)), {}, {"on": "real"}, "C = 2"),
        (((1, 2, 8, 8), (1, 2, 8, 8)), {}, {"on": "phase"}, "'phase'"),
        (((1, 1, 8, 8), (1, 1, 8, 8)), {}, {"mask": True}, "params"),
        (((1, 1, 8, 8), (1, 1, 8, 8)), {"mask": torch.ones(1, 1, 7, 8)}, {"mask": True}, "broadcast"),
        (((1, 1, 8, 8), (1, 1, 8, 8)), {"mask": torch.zeros(1, 1, 8, 8)}, {"mask": True}, "empty"),
    ],
)
def test_wrong_input_is_one_line(shapes, params, options, message):
    x_hat, x = (torch.zeros(shape, dtype=torch.float64) for shape in shapes)
    with pytest.raises(ValueError, match=message) as caught:
        nmse(x_hat, x, params, **options)
    assert "\n" not in str(caught.value)

"""BM3D against a plain loop over groups, closed forms, and the authors' program."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.fft import dctn, idctn
from scipy.linalg import block_diag

from baselines.chunks import Chunk
from baselines.handcrafted import bm3d as bm3d_module
from baselines.handcrafted.bm3d import BIOR15, FILTERED, HAAR, MU_SQUARED, bm3d, collaborate, wavelet, wiener
from baselines.patches import block_matching
from baselines.patches.block_matching import match
from bench.data.manifest import check, file

BSD68_MISSING = any(problem.endswith("is missing") for problem in check("bsd68"))


def images(*shape, seed=0):
    """Squares with noise of 0.1."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(*shape[:2], *(n // 8 + 1 for n in shape[2:]), generator=generator, dtype=torch.float64)
    x = x.repeat_interleave(8, 2).repeat_interleave(8, 3)[..., : shape[2], : shape[3]]
    return x + 0.1 * torch.randn(shape, generator=generator, dtype=torch.float64)


def test_haar_is_orthonormal_and_starts_with_the_mean():
    for n in (1, 2, 8, 32):
        transform = wavelet(n, HAAR)
        assert np.allclose(transform @ transform.T, np.eye(n))
        assert np.allclose(transform[0], n**-0.5)
    assert np.allclose(wavelet(2, HAAR), np.array([[1, 1], [1, -1]]) / 2**0.5)


def test_the_low_pass_filter_is_that_of_cohen_daubechies_and_feauveau():
    """Biorthogonal to Haar's, and five alternating moments vanish, which leaves one filter of ten taps."""
    low = np.array(BIOR15, dtype=float)
    assert np.array_equal(low[0::2] + low[1::2], [0, 0, 256, 0, 0])
    k = np.arange(10) - 4.5
    moments = [abs((low * (-1) ** np.arange(10) * k**p).sum()) for p in range(6)]
    assert np.allclose(moments[:5], 0, atol=1e-9)
    assert moments[5] > 1


def test_the_block_transform_loses_nothing_and_has_its_mean_first():
    transform = wavelet(8, BIOR15)
    assert np.allclose(np.linalg.norm(transform, axis=1), 1)
    assert np.allclose(transform[0], 8**-0.5)
    assert np.allclose(transform[1:] @ np.ones(8), 0)
    assert np.linalg.cond(transform) < 1.5
    assert np.allclose(transform[4:], block_diag(*[np.array([[1, -1]]) / 2**0.5] * 4))


def test_wiener_filtering_is_that_of_a_loop_over_groups():
    noisy, basic = images(1, 1, 26, 23) / 0.1, images(1, 1, 26, 23, seed=1) / 0.1
    cosine = dctn(np.eye(8), axes=0, norm="ortho")
    ours = collaborate(basic, (noisy, basic), cosine, FILTERED, wiener)

    index, _ = match(basic, 8, 3, 39, FILTERED)
    haar, kaiser = wavelet(FILTERED, HAAR), np.outer(np.kaiser(8, 2.0), np.kaiser(8, 2.0))
    total, norm = np.zeros((26, 23)), np.zeros((26, 23))
    for group in index[0].tolist():
        places = [(slice(p // 16, p // 16 + 8), slice(p % 16, p % 16 + 8)) for p in group]
        spectra = []
        for image in (noisy, basic):
            stack = np.stack([image[0, 0].numpy()[place] for place in places])
            spectra.append(np.tensordot(haar, dctn(stack, axes=(1, 2), norm="ortho"), 1))
        factor = spectra[1] ** 2 / (spectra[1] ** 2 + MU_SQUARED)
        factor[0, 0, 0] = 1
        estimates = idctn(np.tensordot(haar.T, factor * spectra[0], 1), axes=(1, 2), norm="ortho")
        for place, estimate in zip(places, estimates, strict=True):
            total[place] += estimate * kaiser / (factor**2).sum()
            norm[place] += kaiser / (factor**2).sum()
    assert np.allclose(ours[0, 0].numpy(), total / norm, atol=1e-9)


def test_a_constant_image_is_unchanged():
    x = torch.full((1, 1, 30, 25), 0.7)
    assert torch.allclose(bm3d(x, torch.tensor([0.1])), x, atol=1e-6)


def test_without_noise_nothing_is_changed():
    x = images(2, 1, 24, 30)
    assert torch.allclose(bm3d(x, torch.zeros(2, dtype=torch.float64)), x, atol=1e-5)
    assert torch.equal(bm3d(0 * x, torch.zeros(2, dtype=torch.float64)), 0 * x)


def test_flat_regions_lose_their_noise():
    """A group of 32 keeps little more than its mean, and a pixel is the mean of many groups."""
    noise = 0.1 * torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    assert float(bm3d(0.5 + noise, torch.tensor([0.1])).std()) < 0.2 * 0.1


def test_the_unit_and_the_offset_of_the_image_do_not_matter():
    x, sigma = images(1, 1, 32, 24), torch.tensor([0.1], dtype=torch.float64)
    x_hat = bm3d(x, sigma)
    assert torch.equal(bm3d(2.0**-20 * x, 2.0**-20 * sigma), 2.0**-20 * x_hat)
    assert torch.allclose(bm3d(x + 5, sigma), x_hat + 5, atol=1e-9)


def test_each_image_of_a_batch_has_its_own_noise():
    x, sigma = images(2, 1, 32, 24).float(), torch.tensor([0.1, 0.3])
    alone = torch.cat([bm3d(x[i : i + 1], sigma[i : i + 1]) for i in range(2)])
    assert torch.equal(bm3d(x, sigma), alone)
    assert not torch.allclose(bm3d(x, sigma.flip(0)), alone, atol=1e-2)


def test_images_that_are_denoised_at_once_as_on_a_gpu_are_those_of_single_calls(monkeypatch):
    x, sigma = images(3, 1, 32, 24), torch.tensor([0.1, 0.3, 0.2], dtype=torch.float64)
    alone = bm3d(x, sigma)
    for module in (block_matching, bm3d_module):
        monkeypatch.setattr(module, "IMAGES", Chunk(cpu=2, elsewhere=2))
    assert torch.allclose(bm3d(x, sigma), alone, atol=1e-12)


@pytest.mark.parametrize("shape", [(8, 8), (8, 20), (11, 9)])
def test_small_images_have_small_groups(shape):
    x = images(1, 1, *shape)
    x_hat = bm3d(x, torch.tensor([0.1], dtype=torch.float64))
    assert bool(x_hat.isfinite().all())
    assert float((x_hat - x).std()) < 0.3


@pytest.mark.skipif(BSD68_MISSING, reason="needs bsd68: set BENCH_DATA or run `bench data get`")
@pytest.mark.parametrize(("image", "theirs"), [(1, 25.459), (2, 29.652)])
def test_photographs_are_as_the_authors_program_makes_them(image, theirs):
    """The figures are of the PyPI package bm3d 4.0.3 on the same noisy images, σ = 25/255: PSNR in dB."""
    x = np.asarray(Image.open(file("bsd68", f"test{image:03}.png"))) / 255
    y = x + 25 / 255 * np.random.default_rng(image).standard_normal(x.shape)
    x_hat = bm3d(torch.from_numpy(y).float()[None, None], torch.tensor([25 / 255]))
    psnr = -10 * np.log10(np.mean((x_hat[0, 0].numpy() - x) ** 2))
    assert psnr == pytest.approx(theirs, abs=0.15)

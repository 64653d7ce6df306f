"""EPLL against the same iterations patch by patch, and on a photograph."""

import numpy as np
import pytest
import skimage.data
import torch
from deepinv.physics import BlurFFT, Denoising, GaussianNoise

from baselines.data_driven.epll import BETA, EPLL, SIDE
from baselines.handcrafted.tv import TV
from bench.contract.toy_operators import toys


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture
def small():
    """With random Gaussians, in double precision."""
    method = EPLL(components=3).double()
    root = torch.randn(3, SIDE**2, 20, dtype=torch.float64)
    method.mixture.set_components(torch.tensor([0.2, 0.3, 0.5]), 0.05 * root @ root.mT)
    return method


def by_patches(mixture, image, variance):
    """One pass over a NumPy image."""
    total, count = np.zeros(image.shape), np.zeros(image.shape)
    covariances = mixture.covariances.numpy()
    noisy = covariances + variance * np.eye(SIDE**2)
    offsets = mixture.weights.log().numpy() - 0.5 * np.linalg.slogdet(noisy)[1]
    for i in range(image.shape[0] - SIDE + 1):
        for j in range(image.shape[1] - SIDE + 1):
            window = np.s_[i : i + SIDE, j : j + SIDE]
            mean = image[window].mean()
            p = image[window].ravel() - mean
            k = max(range(3), key=lambda k: offsets[k] - 0.5 * p @ np.linalg.solve(noisy[k], p))
            total[window] += (covariances[k] @ np.linalg.solve(noisy[k], p)).reshape(SIDE, SIDE) + mean
            count[window] += 1
    return total / count


def test_denoising_is_the_papers_iteration_patch_by_patch_but_for_its_last_average_with_y(small):
    y = torch.randn(1, 1, 16, 17, dtype=torch.float64)
    sigma = 0.4
    scale = float(y.square().mean().sqrt())
    expected = y[0, 0].numpy()
    for beta, following in zip(BETA, (*BETA[1:], None), strict=True):
        z = by_patches(small.mixture, expected / scale, (sigma / scale) ** 2 / beta) * scale
        expected = z if following is None else (y[0, 0].numpy() + beta * z) / (1 + beta)
    found = small(y, Denoising(GaussianNoise(sigma)))[0, 0].numpy()
    # Up to the single precision of deepinv's sigma and of the step of its prox.
    assert np.allclose(found, expected, atol=1e-5)


def test_equivariant_to_the_unit(small):
    y = torch.rand(1, 1, 16, 16, dtype=torch.float64)
    blur = BlurFFT((1, 16, 16), torch.ones(1, 1, 3, 3, dtype=torch.float64) / 9)
    assert torch.allclose(small(1e-3 * y, blur), 1e-3 * small(y, blur), atol=1e-8)
    found, expected = small(1e-3 * y, Denoising(GaussianNoise(1e-4))), small(y, Denoising(GaussianNoise(0.1)))
    assert torch.allclose(found, 1e-3 * expected, atol=1e-8)


@pytest.mark.parametrize("shape", [(5, 6), (7, 30), (8, 8), (9, 23)])
def test_any_size(small, shape):
    """A flat image stays one, smaller than a patch too."""
    y = torch.full((2, 1, *shape), 3.0, dtype=torch.float64)
    assert torch.allclose(small(y, Denoising(GaussianNoise(0.5))), y)


def test_what_it_learned_beats_total_variation_on_another_part_of_a_photograph():
    camera = torch.from_numpy(skimage.data.camera()[None, None] / 255).float()
    noisy = camera + 0.1 * torch.randn(camera.shape)
    physics = Denoising(GaussianNoise(0.1))
    method = EPLL(components=20)
    losses = [
        method.training_step((camera[..., 100:300, :200], noisy[..., 100:300, :200], physics), step)
        for step in range(12)
    ]
    assert losses[-1] < losses[0] - 1
    x, y = camera[..., 100:196, 300:396], noisy[..., 100:196, 300:396]

    def psnr(x_hat):
        return float(-10 * (x_hat - x).square().mean().log10())

    assert psnr(method(y, physics)) > max(psnr(TV(lam)(y, physics)) for lam in (0.05, 0.07, 0.1)) + 0.1


def test_volumes_are_refused_with_a_reason():
    volume = next(toy.track for toy in toys() if toy.track.dims == 3)
    assert "2D" in EPLL.supports(volume)

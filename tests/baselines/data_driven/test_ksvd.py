"""Dictionaries learned from the noisy image beat the cosines that they start from."""

import pytest
import torch
from deepinv.physics import Denoising, GaussianNoise
from examples import psnr

from baselines.data_driven.ksvd import KSVD
from baselines.data_driven.mod import MOD
from baselines.patches.dictionary import cosines
from baselines.patches.dictionary_denoiser import LAMBDA, denoise

SIGMA = 0.1


PHYSICS = Denoising(GaussianNoise(SIGMA))


@pytest.fixture(scope="module")
def striped():
    """Cloth-like texture, which no cosine is."""
    place = torch.arange(64)
    x = 0.5 + 0.3 * (((place[:, None] * 3 + place * 5) % 7) < 3).float()[None, None]
    return x, x + SIGMA * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))


def by_cosines(y):
    return denoise(y, torch.tensor([SIGMA]), [cosines(8, 2, 256)], LAMBDA)


@pytest.mark.parametrize("method", [KSVD, MOD])
def test_what_is_learned_from_the_noisy_image_beats_cosines(method, striped):
    x, y = striped
    assert psnr(by_cosines(y), x) > psnr(y, x) + 2
    assert psnr(method()(y, PHYSICS), x) > psnr(by_cosines(y), x) + 1

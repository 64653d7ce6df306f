"""Non-local means against its definition, patch by patch, and against scikit-image."""

import itertools

import numpy as np
import pytest
import torch
from skimage.data import camera
from skimage.restoration import denoise_nl_means

from baselines.handcrafted.nlm import box_sum, nlm, nlm_of_side


def by_definition(y, sigma, side, radius, h):
    """Every patch and every candidate in a loop of its own; ``y`` an array of any dimension."""
    reach = side // 2
    x = np.pad(y, reach, mode="reflect")
    total, weight = np.zeros_like(x), np.zeros_like(x)

    def patch(centre):
        return tuple(slice(c, c + side) for c in centre)

    pixels = list(itertools.product(*(range(n) for n in y.shape)))
    for P, Q in itertools.product(pixels, pixels):
        if max(abs(p - q) for p, q in zip(P, Q, strict=True)) <= radius:
            distance = ((x[patch(P)] - x[patch(Q)]) ** 2).mean()
            w = np.exp(-max(distance - 2 * sigma**2, 0) / (h * sigma) ** 2)
            total[patch(P)] += w * x[patch(Q)]
            weight[patch(P)] += w
    return (total / weight)[tuple(slice(reach, reach + n) for n in y.shape)]


@pytest.mark.parametrize(
    ("shape", "side", "radius"),
    [((9, 7), 3, 2), ((7, 8), 5, 3), ((8, 8), 7, 20), ((5, 4, 6), 3, 2)],
    ids=["small window", "5 x 5", "window beyond the image", "volume"],
)
def test_it_is_its_definition(shape, side, radius):
    rng = np.random.default_rng(0)
    y, sigma = rng.random((2, *shape)), (0.1, 0.3)
    ours = nlm_of_side(torch.from_numpy(y)[:, None], torch.tensor(sigma, dtype=torch.float64), side, radius, 0.7)
    for i in range(2):
        expected = by_definition(y[i], sigma[i], side, radius, 0.7)
        assert np.allclose(ours[i, 0].numpy(), expected, rtol=1e-10)


@pytest.mark.parametrize("side", range(1, 10))
def test_box_sum(side):
    x = torch.rand(2, 1, 10, 12, dtype=torch.float64)
    assert torch.allclose(box_sum(x, side), x.unfold(2, side, 1).unfold(3, side, 1).sum((-2, -1)), rtol=1e-12)


@pytest.mark.parametrize("level", [15, 25, 50])
def test_it_denoises_better_than_the_pixelwise_one_of_scikit_image(level):
    """With the parameters of Buades et al. 2011 for grey images, table 2."""
    x, sigma = camera()[100:228, 180:308] / 255, level / 255
    side, radius, h = {15: (3, 10, 0.4), 25: (5, 10, 0.4), 50: (9, 17, 0.35)}[level]
    y = x + sigma * np.random.default_rng(0).standard_normal(x.shape)
    theirs = denoise_nl_means(y, side, radius, h * sigma, sigma=sigma)
    ours = nlm(torch.from_numpy(y)[None, None], torch.tensor([sigma]))[0, 0].numpy()
    psnr_theirs, psnr_ours = (-10 * np.log10(np.mean((z - x) ** 2)) for z in (theirs, ours))
    assert psnr_ours > psnr_theirs + 0.2

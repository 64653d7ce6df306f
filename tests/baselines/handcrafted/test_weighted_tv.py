"""Weighted total variation against another library and a closed form."""

import pytest
import torch
from deepinv.physics import Denoising
from skimage.restoration import denoise_tv_chambolle

from baselines.handcrafted.weighted_tv import WeightedTV

SIDE = 12


def image(seed=0, channels=1):
    return torch.rand(1, channels, SIDE, SIDE, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_weighted_tv_with_no_edges_is_tv_and_finds_the_share_asked():
    y = image() + (torch.arange(SIDE) >= SIDE // 2)
    plain = WeightedTV(0.15, edges=0.0, iterations=2000)(y, Denoising())
    theirs = torch.from_numpy(denoise_tv_chambolle(y[0, 0].numpy(), weight=0.15, eps=1e-12, max_num_iter=20000))
    assert torch.allclose(plain[0, 0], theirs, atol=2e-3)
    weight = WeightedTV(edges=0.25).weight(y)
    assert float((weight < 1).double().mean()) == pytest.approx(0.25, abs=0.01)


def test_weighted_tv_lowers_an_edge_by_a_fifth_of_what_tv_does():
    """Of a step between halves of 6 columns each half moves by mλ/6 towards the other."""
    y = torch.zeros(1, 1, 12, 12, dtype=torch.float64)
    y[..., 6:] = 1
    found = WeightedTV(0.3, edges=1 / 12, iterations=2000)(y, Denoising())
    assert float(found[..., 6:].mean() - found[..., :6].mean()) == pytest.approx(1 - 2 * 0.2 * 0.3 / 6, abs=1e-4)

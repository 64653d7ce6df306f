"""Streaks and bias of errors that are known, in a disc of water with a disc of metal."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation

from tasks.metrics.image import psnr
from tasks.metrics.metal import NEAR, bias, regions, streaks

WATER, PIXEL, SIDE = 0.2, 0.4, 96


def disc(radius):
    side = np.arange(SIDE) - (SIDE - 1) / 2
    return side[:, None] ** 2 + side**2 < radius**2


@pytest.fixture(name="scene")
def _scene():
    """A slice (1, 1, H, W), and its masks with the batch axis."""
    metal = disc(4)
    x = np.where(metal, 0.8, np.where(disc(40), WATER, 0))
    masks = regions(x, metal, PIXEL, WATER)
    return torch.from_numpy(x)[None, None], {name: mask[None] for name, mask in masks.items()}


def test_an_offset_is_bias_and_an_alternating_error_is_streaks(scene):
    x, params = scene
    stripes = torch.sin(torch.arange(SIDE) * math.pi / 2).expand(x.shape).double()
    alone = x + 0.01 * stripes
    inside = params["tissue"] != 0
    left = stripes[inside].mean()
    assert bias(x - 0.01, x, params, water=WATER) == pytest.approx(50)
    assert streaks(x - 0.01, x, params, water=WATER) == pytest.approx(0, abs=1e-9)
    assert streaks(alone, x, params, water=WATER) == pytest.approx(50 / math.sqrt(2), rel=0.05)
    assert bias(alone, x, params, water=WATER) == pytest.approx(50 * float(left.abs()))


def test_their_squares_add_up_to_the_mean_square_error(scene):
    x, params = scene
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x_hat = x + 0.02 * noise + 0.005
    inside = params["tissue"] != 0
    square = float((1000 * (x_hat - x)[inside] / WATER).square().mean())
    parts = (f(x_hat, x, params, water=WATER) for f in (streaks, bias))
    assert sum(part**2 for part in parts) == pytest.approx(square)


def test_errors_in_the_metal_move_no_score_and_far_ones_psnr_alone(scene):
    x, params = scene
    in_metal = torch.where(params["mask"] == 0, 5.0, x)
    far = x.clone()
    far[..., :5, :5] += 0.1
    assert psnr(in_metal, x, params, data_range=0.4, mask=True) == 160
    for score in (streaks, bias):
        assert score(in_metal, x, params, water=WATER) == 0 == score(far, x, params, water=WATER)
    assert psnr(far, x, params, data_range=0.4, mask=True) < 60


def test_the_tissue_is_water_within_reach_of_the_metal_and_apart_from_its_edges(scene):
    _, params = scene
    tissue = params["tissue"][0, 0].bool().numpy()
    beside = binary_dilation(disc(4), np.ones((3, 3)))
    assert not tissue[beside].any()
    assert not tissue[~disc(4 + NEAR / PIXEL + 1)].any()
    assert tissue[disc(4 + NEAR / PIXEL - 1) & ~disc(6)].all()
    assert np.array_equal(params["mask"][0, 0].numpy(), 1.0 - beside)


def test_without_the_mask_of_tissue_the_error_says_so():
    x = torch.zeros(1, 1, 8, 8)
    with pytest.raises(ValueError, match="'tissue'"):
        streaks(x, x, {"mask": x}, water=WATER)

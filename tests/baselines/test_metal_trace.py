"""The trace of metal and the interpolation in it, against NumPy row by row."""

import numpy as np
import torch

from baselines.metal_trace import interpolated, metal_of, soft_level, trace_of
from bench.contract.operators import direct
from bench.contract.toy_operators import METAL, toys


def test_an_interpolation_is_numpy_s_in_every_row():
    rng = torch.Generator().manual_seed(0)
    y = torch.randn(2, 1, 40, 15, generator=rng, dtype=torch.float64)
    trace = torch.rand(y.shape, generator=rng) < 0.6
    trace[0, 0, 0], trace[0, 0, 1] = True, False
    found = interpolated(y, trace)
    place = np.arange(15)
    for row, missing, values in zip(y.flatten(0, 2), trace.flatten(0, 2), found.flatten(0, 2), strict=True):
        known = ~missing.numpy()
        expected = np.interp(place, place[known], row.numpy()[known]) if known.any() else row.numpy()
        np.testing.assert_allclose(values.numpy(), expected, atol=1e-12)


def test_soft_tissue_is_the_level_of_each_image_in_any_unit():
    image = torch.zeros(2, 1, 20, 20)
    image[:, :, 4:16, 4:16] = 0.2
    image[:, :, 6:10, 6:10] = 0.05  # lung
    image[:, :, 12, 12:14] = 6.0
    image[1] *= 1000
    assert torch.allclose(soft_level(image).flatten(), torch.tensor([0.2, 200.0]))
    assert torch.equal(metal_of(image, 4.0).nonzero()[:, 2:], torch.tensor([[12, 12], [12, 13]] * 2))


def test_the_metal_of_the_toy_is_found_and_leaves_rays_to_interpolate_from():
    toy = next(toy for toy in toys() if toy.track.metal)
    physics = toy.physics(toy.params)
    metal = metal_of(direct(toy.y, physics), 5.0)
    assert torch.equal(metal, toy.x == METAL)
    trace = trace_of(metal, physics, toy.y)
    assert 0.1 < float(trace.float().mean()) < 0.6

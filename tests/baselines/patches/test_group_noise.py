"""The variances of a group's coefficients against the squared norms of the functions that make them."""

import numpy as np
import pytest
import torch
from scipy.fft import dct

from baselines.handcrafted.bm3d import BIOR15, HAAR, wavelet
from baselines.patches.group_noise import LEAST, GroupNoise

SIZE, SIDE = 22, 8
PLACES = SIZE - SIDE + 1


@pytest.mark.parametrize("count", [1, 2, 8, 32])
@pytest.mark.parametrize("transform", [wavelet(SIDE, BIOR15), dct(np.eye(SIDE), axis=0, norm="ortho")])
def test_variances_are_the_squared_norms_of_functions_on_the_image(transform, count):
    """White noise of variance one in a coefficient <f, image> has the variance ‖f‖²."""
    drawn = torch.from_numpy(np.random.default_rng(count).permuted(np.tile(np.arange(PLACES**2), (3, 1)), axis=1))
    members = drawn[:, :count].T.contiguous()
    variance = GroupNoise(transform, count, PLACES, torch.zeros(1, dtype=torch.float64))(members)

    haar, blocks = wavelet(count, HAAR), np.einsum("ia,jb->ijab", transform, transform).reshape(-1, SIDE, SIDE)
    for g in range(3):
        f = np.zeros((count, SIDE**2, SIZE, SIZE))
        for m, place in enumerate(members[:, g].tolist()):
            row, column = divmod(place, PLACES)
            f[..., row : row + SIDE, column : column + SIDE] += haar[:, m, None, None, None] * blocks
        assert np.allclose(variance[:, g].numpy(), (f**2).sum((2, 3)) + LEAST, atol=1e-12)


def test_blocks_far_apart_have_independent_noise():
    members = torch.tensor([[0], [SIDE], [SIDE * PLACES], [SIDE * PLACES + SIDE - 2]])
    variance = GroupNoise(np.eye(SIDE), 4, PLACES, torch.zeros(1))(members)
    assert torch.allclose(variance[:2], torch.tensor(1 + LEAST), rtol=0, atol=1e-6)


def test_the_same_block_twice_leaves_no_variance_and_no_zero():
    variance = GroupNoise(np.eye(SIDE), 2, PLACES, torch.zeros(1))(torch.tensor([[5], [5]]))
    assert torch.allclose(variance[0], torch.tensor(2 + LEAST), rtol=0, atol=1e-6)
    assert torch.allclose(variance[1], torch.tensor(LEAST), rtol=0, atol=1e-6)

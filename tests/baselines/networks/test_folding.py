"""Folding against torch, and undone; extension against torch."""

import pytest
import torch

from baselines.networks.folding import extend, fold, unfold


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("shape", [(2, 3, 4, 6), (1, 2, 4, 2, 6)])
def test_fold_is_undone(shape):
    x = torch.randn(shape)
    assert torch.equal(unfold(fold(x)), x)


def test_fold_is_pixel_unshuffle():
    x = torch.randn(2, 3, 4, 6)
    assert torch.equal(fold(x), torch.nn.functional.pixel_unshuffle(x, 2))


def test_extend_repeats_the_edge():
    x = torch.randn(1, 1, 3, 5)
    expected = torch.nn.functional.pad(x, (0, 3, 0, 1), mode="replicate")
    assert torch.equal(extend(x, 4), expected)

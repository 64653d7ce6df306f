"""A letter stands inside the image, and its kept contrast is the factor by which a reconstruction scales it."""

import numpy as np
import pytest
import torch

from bench.stability.structure import kept_contrast, letter, surroundings


@pytest.mark.parametrize("shape", [(1, 1, 16, 16), (1, 2, 96, 96), (1, 1, 321, 481), (1, 1, 12, 20, 20), (1, 1, 5, 4)])
def test_a_letter_stands_in_the_middle_of_any_image(shape):
    for seed in range(20):
        s = letter(shape, np.random.default_rng(seed))
        assert s.shape == shape
        assert set(s.unique().tolist()) <= {0.0, 1.0}
        assert s[:, 0].sum() > 0
        assert s[:, 1:].sum() == 0
        assert surroundings(s)[s > 0].all()


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0, 1.4])
def test_kept_contrast_is_the_factor_of_the_letter_whatever_the_background(share):
    s = 0.2 * letter((1, 1, 96, 96), np.random.default_rng(0))
    before = torch.rand(1, 1, 96, 96)
    assert kept_contrast(before + share * s, before, s) == pytest.approx(100 * share, abs=1e-3)
    assert kept_contrast(before + share * s + 0.5, before, s) == pytest.approx(100 * share, abs=1e-3)


def test_a_blurred_letter_has_lost_contrast():
    s = letter((1, 1, 96, 96), np.random.default_rng(0))
    blurred = torch.nn.functional.avg_pool2d(s, 9, stride=1, padding=4)
    assert 0 < kept_contrast(blurred, torch.zeros_like(s), s) < 50

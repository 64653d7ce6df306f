"""TNRD: its size, its influence functions, one step by hand, and that it learns."""

import numpy as np
import pytest
import torch
from learning import assert_equivariant_to_the_unit, assert_learns_one_image
from scipy.ndimage import convolve

from baselines.raw_to_image.tnrd import EDGE, TNRD, Step


@pytest.mark.parametrize(("side", "count"), [(5, 10_445), (7, 26_645)])
def test_it_has_the_parameters_of_the_paper(side, count):
    assert sum(p.numel() for p in TNRD(side=side).parameters()) == count


def test_its_functions_are_sums_of_the_papers_gaussians():
    step, z = Step(5), torch.linspace(-300, 300, 401).reshape(1, 1, 1, -1).expand(1, 24, 1, 401)
    weights = torch.randn(24, 63, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        step.weights.copy_(weights)
        found = step.influence(z)[0, :, 0]
    centres = np.arange(-310, 311, 10)
    expected = weights.numpy() @ np.exp(-((np.linspace(-300, 300, 401) - centres[:, None]) ** 2) / (2 * 10**2))
    assert np.abs(found.numpy() - expected).max() < 0.03 * np.abs(expected).max()


def test_a_step_before_training_is_smoothed_total_variation_of_the_cosines():
    """By SciPy's convolution of mirrored images. The Gaussians hold the influence function to a few per cent."""
    step = Step(5)
    x = 60 * torch.randn(1, 1, 12, 11, generator=torch.Generator().manual_seed(0))
    expected = np.zeros((12, 11))
    for k in step.filters()[:, 0].detach().double().numpy():
        response = convolve(x[0, 0].double().numpy(), k[::-1, ::-1], mode="reflect")
        expected += convolve(EDGE * response / np.sqrt(response**2 + EDGE**2) / 25, k, mode="reflect")
    with torch.no_grad():
        found = step(x)[0, 0].numpy()
    assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()


def test_equivariant_to_the_unit():
    assert_equivariant_to_the_unit(TNRD(steps=2))


def test_learns_one_image():
    torch.manual_seed(0)
    assert_learns_one_image(TNRD(steps=2), rate=1e-2, share=0.6)

"""B-spline framelets: published filters, tightness, and orthonormal Haar wavelets as an independent reference."""

import numpy as np
import pytest
import pywt
import torch

from baselines.transforms.framelets import Framelets, bspline_filters


def random(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def test_filters_are_the_published_ones():
    """Dong & Shen 2013, examples 1.2 and 1.3, up to sign."""
    root = np.sqrt(2) / 4
    linear = [[1 / 4, 1 / 2, 1 / 4], [root, 0, -root], [1 / 4, -1 / 2, 1 / 4]]
    np.testing.assert_allclose(bspline_filters(2), linear, atol=1e-15)
    s = np.sqrt(6) / 16
    cubic = np.array(
        [[1, 4, 6, 4, 1], [2, 4, 0, -4, -2], [16 * s, 0, -32 * s, 0, 16 * s], [2, -4, 0, 4, -2], [1, -4, 6, -4, 1]]
    )
    np.testing.assert_allclose(bspline_filters(4), cubic / 16, atol=1e-15)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("shape", [(1, 1, 32, 32), (2, 2, 37, 51), (2, 1, 9, 12, 10)])
def test_the_frame_is_tight(order, shape):
    x = random(*shape)
    W = Framelets(x, order, levels=3)
    c = W.analysis(x)
    other = random(*c.shape, seed=1)
    assert float(c.square().sum()) == pytest.approx(float(x.square().sum()), rel=1e-12)
    assert torch.allclose(W.adjoint(c), x, atol=1e-12)
    assert float((c * other).sum()) == pytest.approx(float((x * W.adjoint(other)).sum()), rel=1e-10)
    assert torch.equal(W.analysis(x[:1, :1]), c[:, :1, :1])


def test_haar_is_the_stationary_wavelet_transform():
    x = random(1, 1, 32, 16)
    c = Framelets(x, order=1, levels=2).analysis(x)[:, 0, 0].numpy()
    theirs = pywt.swt2(x[0, 0].numpy(), "haar", level=2, norm=True, trim_approx=True)
    theirs = [
        theirs[0],
        *(band for high_rows, high_columns, high in theirs[1:] for band in (high_columns, high_rows, high)),
    ]
    shifts = [(i, j) for i in range(-4, 4) for j in range(-4, 4)]
    for ours, other in zip(c, theirs, strict=True):
        assert min(np.abs(np.abs(np.roll(ours, shift, (0, 1))) - np.abs(other)).max() for shift in shifts) < 1e-12


@pytest.mark.parametrize("order", [1, 2, 4])
def test_weights_are_the_deviations_of_white_noise(order):
    x = random(1, 1, 256, 256)
    W = Framelets(x, order, levels=3)
    deviations = W.analysis(x).std(dim=(1, 2, 3, 4))
    np.testing.assert_allclose(deviations[1:], W.weights.flatten()[1:], rtol=0.15)
    assert float(W.weights[0].abs().max()) == 0


@pytest.mark.parametrize("order", [2, 4])
def test_details_of_a_constant_vanish_up_to_the_edge(order):
    """No wrapping: mirrored, a constant stays one."""
    x = torch.full((1, 1, 24, 17), 3.0, dtype=torch.float64)
    c = Framelets(x, order, levels=3).analysis(x)
    assert torch.allclose(c[0], x)
    assert float(c[1:].abs().max()) < 1e-12

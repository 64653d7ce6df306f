"""Orthonormal wavelets against PyWavelets, and the identities that solvers rely on."""

import numpy as np
import pytest
import pywt
import torch

from baselines.transforms.wavelets import Wavelets


def random(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


@pytest.mark.parametrize("wavelet", ["haar", "db2", "db4", "db8", "sym4", "sym8"])
@pytest.mark.parametrize("shape", [(64, 48), (32, 48, 40)])
def test_the_coefficients_are_those_of_pywavelets(wavelet, shape):
    x = random(2, 1, *shape)
    W = Wavelets(x, wavelet, levels=3)
    levels = pywt.dwt_max_level(min(shape), wavelet)
    theirs = pywt.wavedecn(x.numpy(), wavelet, "periodization", max(1, min(3, levels)), range(2, x.ndim))
    theirs, _ = pywt.coeffs_to_array(theirs, axes=range(2, x.ndim))
    np.testing.assert_allclose(W.analysis(x).numpy(), theirs, atol=1e-9)  # their filters are orthonormal up to 1e-11


def test_a_filter_longer_than_the_image_wraps():
    x = random(1, 1, 8, 8)
    W = Wavelets(x, "db8")
    approximation, (low_rows, low_columns, high) = pywt.dwt2(x.numpy(), "db8", "periodization")
    theirs = np.block([[approximation, low_columns], [low_rows, high]])
    np.testing.assert_allclose(W.analysis(x).numpy(), theirs, atol=1e-9)


@pytest.mark.parametrize("shape", [(1, 1, 64, 32), (2, 2, 37, 51), (2, 1, 20, 13, 18)])
@pytest.mark.parametrize("wavelet", ["haar", "db4", "sym8"])
def test_synthesis_undoes_both_analyses_and_its_adjoint_is_exact(shape, wavelet):
    x = random(*shape)
    W = Wavelets(x, wavelet, levels=3)
    c = random(*W.analysis(x).shape, seed=1)
    assert torch.allclose(W.synthesis(W.analysis(x)), x, atol=1e-9)
    assert torch.allclose(W.synthesis(W.synthesis_adjoint(x)), x, atol=1e-9)
    assert float((W.synthesis(c) * x).sum()) == pytest.approx(float((c * W.synthesis_adjoint(x)).sum()), rel=1e-9)
    assert torch.allclose(W.transform(W.inverse(c)), c, atol=1e-9)
    assert torch.allclose(W.analysis(x[:1, :1]), W.analysis(x)[:1, :1], atol=1e-12)


@pytest.mark.parametrize(("wavelet", "order"), [("haar", 0), ("db2", 1), ("db4", 3)])
def test_details_vanish_on_polynomials(wavelet, order):
    """Away from the edges a wavelet of p vanishing moments sees no polynomial below degree p; weights mark details."""
    n = 128
    line = torch.arange(n, dtype=torch.float64).div(n).pow(order)
    x = (line[:, None] + line)[None, None]
    W = Wavelets(x, wavelet, levels=1)
    details = (W.weights * W.analysis(x))[0, 0]
    inner = torch.arange(8, n // 2 - 8)
    for rows, columns in [(inner, inner + n // 2), (inner + n // 2, inner), (inner + n // 2, inner + n // 2)]:
        assert float(details[rows][:, columns].abs().max()) < 1e-9
    assert float(details[: n // 2, : n // 2].abs().max()) == 0
    assert float(W.weights.mean()) == 0.75


def test_edges_extend_to_sparser_coefficients_than_zeros():
    x = 1 + random(1, 1, 37, 51).mul(1e-3)
    W = Wavelets(x, "db2", levels=3)
    assert float((W.weights * W.analysis(x)).abs().sum()) < 0.1 * float(
        (W.weights * W.synthesis_adjoint(x)).abs().sum()
    )

"""Circular convolutions with cosines against SciPy, and their tight frame."""

import pytest
import torch
from scipy.ndimage import convolve as convolve_scipy

from baselines.networks.cosine_filters import convolve, convolve_adjoint, cosines


@pytest.mark.parametrize("dims", [2, 3])
def test_the_cosines_over_the_root_of_their_number_are_a_tight_frame(dims):
    filters = cosines(dims).unsqueeze(1) / len(cosines(dims)) ** 0.5
    x = torch.randn(2, 1, 7, 5, 6)[..., : 6 if dims == 3 else 1].squeeze(-1)
    assert torch.allclose(convolve_adjoint(convolve(x, filters), filters), x, atol=1e-5)


def test_convolution_and_its_adjoint():
    x, filters = torch.randn(1, 1, 8, 7, dtype=torch.float64), torch.randn(4, 1, 3, 3, dtype=torch.float64)
    c = convolve(x, filters)
    assert torch.allclose(
        c[0, 2], torch.from_numpy(convolve_scipy(x[0, 0].numpy(), filters[2, 0].numpy(), mode="wrap"))
    )
    other = torch.randn_like(c)
    assert torch.allclose((c * other).sum(), (x * convolve_adjoint(other, filters)).sum())

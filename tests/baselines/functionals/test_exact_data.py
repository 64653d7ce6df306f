"""The projection onto exact data is the one of least squares, and its gradient is a projection too."""

import numpy as np
import torch
from deepinv.physics import LinearPhysics, ZeroNoise

from baselines.functionals.exact_data import project


def operator(M):
    """The matrix M (m, n) on images of one row."""

    def A(x, **_):
        return x @ M.T

    return LinearPhysics(A=A, A_adjoint=lambda y, **_: y @ M, img_size=(1, 1, M.shape[1]), noise_model=ZeroNoise())


def orthogonal_rows(m, n):
    """A matrix whose singular values are 2 and, for half of the rows, 2 / √2."""
    q, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((n, m)))
    return torch.from_numpy(2 * q.T * np.where(np.arange(m) % 2, 1, 0.5**0.5)[:, None]).float()


def test_it_is_the_nearest_image_with_the_measurement():
    M = orthogonal_rows(4, 9)
    physics = operator(M)
    x, y = torch.randn(2, 1, 1, 9), physics.A(torch.randn(2, 1, 1, 9))
    found = project(x, y, physics)
    pseudo_inverse = torch.linalg.pinv(M.double())
    expected = x.double() + (y.double() - x.double() @ M.double().T) @ pseudo_inverse.T
    assert torch.allclose(found.double(), expected, atol=1e-4)
    assert torch.allclose(physics.A(found), y, atol=1e-4)


def test_its_gradient_leaves_out_what_is_measured():
    M = orthogonal_rows(4, 9)
    physics = operator(M)
    x = torch.randn(1, 1, 1, 9, requires_grad=True)
    v = torch.randn(1, 1, 1, 9)
    (gradient,) = torch.autograd.grad(project(x, physics.A(torch.randn(1, 1, 1, 9)), physics), x, v)
    expected = v.double() - v.double() @ M.double().T @ torch.linalg.pinv(M.double()).T
    assert torch.allclose(gradient.double(), expected, atol=1e-4)

"""Tikhonov's regularisation against dense linear algebra."""

import numpy as np
import torch
from deepinv.physics import BlurFFT

from baselines.handcrafted.tikhonov import Tikhonov
from baselines.transforms.finite_differences import gradient, gradient_adjoint

SIDE = 12


def dense(operator, shape):
    """The matrix of a linear map of images (1, *shape)."""
    basis = torch.eye(int(np.prod(shape)), dtype=torch.float64).reshape(-1, 1, *shape)
    return torch.stack([operator(e).flatten() for e in basis], 1)


def image(seed=0, channels=1):
    return torch.rand(1, channels, SIDE, SIDE, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_tikhonov_is_the_normal_equation_solved():
    physics = BlurFFT((1, SIDE, SIDE), torch.ones(1, 1, 3, 3, dtype=torch.float64) / 9)
    y = image()
    A = dense(physics.A, (1, SIDE, SIDE))
    D = dense(lambda x: gradient_adjoint(gradient(x)), (1, SIDE, SIDE))
    expected = torch.linalg.solve(A.T @ A + 0.1 * D, A.T @ y.flatten())
    found = Tikhonov(0.1, 500)(y, physics)
    assert torch.allclose(found.flatten(), expected, atol=1e-5)


def test_tikhonov_in_closed_form_minimises_what_conjugate_gradients_do():
    """The gradient of the documented objective, on a dipole: of norm 2/3, and with differences that wrap around."""
    from tasks.physics.qsm import Dipole

    physics = Dipole()
    y = torch.zeros(1, 1, 10, 10, 10, dtype=torch.float64)
    y[..., 4:6, 4:6, 4:6] = 1
    found = Tikhonov(0.3)(y, physics)

    def normal_equation(x: torch.Tensor) -> torch.Tensor:
        around = sum(2 * x - x.roll(1, axis) - x.roll(-1, axis) for axis in (2, 3, 4))
        return physics.A_adjoint(physics.A(x) - y) / (2 / 3) ** 2 + 0.3 * around

    assert float(normal_equation(found).abs().max()) < 1e-6

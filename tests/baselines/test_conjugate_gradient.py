"""Conjugate gradients against dense linear algebra."""

import torch

from baselines.conjugate_gradient import conjugate_gradient


def test_conjugate_gradients_solve_a_system_each():
    rng = torch.Generator().manual_seed(0)
    roots = torch.randn(3, 6, 6, dtype=torch.float64, generator=rng)
    M, b = roots @ roots.mT + torch.eye(6), torch.randn(3, 6, 1, dtype=torch.float64, generator=rng)
    b[1] = 0  # nothing to do, while the others go on
    x = conjugate_gradient(lambda x: M @ x, b, torch.zeros_like(b), 30)
    assert torch.allclose(x, torch.linalg.solve(M, b), atol=1e-9)


def images(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_conjugate_gradients_end_after_as_many_steps_as_there_are_eigenvalues():
    """And go on unharmed; each image of a batch as if alone, whatever its scale."""
    diagonal = 1 + torch.arange(12, dtype=torch.float64).reshape(1, 1, 3, 4) % 5
    b = images(2, 1, 3, 4) * torch.tensor([1.0, 1e-8])[:, None, None, None]
    for steps in (5, 50):
        x = conjugate_gradient(lambda x: diagonal * x, b, torch.zeros_like(b), steps)
        assert torch.allclose(x, b / diagonal, rtol=1e-9, atol=0)
    assert not torch.allclose(conjugate_gradient(lambda x: diagonal * x, b, torch.zeros_like(b), 4), b / diagonal)

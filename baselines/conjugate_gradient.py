"""Hx = b, H symmetric and positive, by conjugate gradients: the argmin of ½xᵀHx − bᵀx over a growing Krylov space.

A fixed number of steps, each image of a batch with its own step sizes: an image alone gives what it gives in a batch,
which a stopping rule for the whole batch (deepinv's) does not.

M. Hestenes, E. Stiefel, Methods of conjugate gradients for solving linear systems, J. Res. Natl. Bur. Stand. 1952.
"""

from __future__ import annotations

from collections.abc import Callable

from deepinv.physics import LinearPhysics
from torch import Tensor

from baselines.primal_dual import has_closed_form_prox

TINY = 1e-30  # a residual of zero
STEPS = 20


def conjugate_gradient(H: Callable[[Tensor], Tensor], b: Tensor, x: Tensor, steps: int = STEPS) -> Tensor:
    """``steps`` from ``x``, for images (B, C, ...)."""
    r = b - H(x)
    p, rr = r, dot(r, r)
    for _ in range(steps):
        Hp = H(p)
        step = rr / dot(p, Hp).clamp(min=TINY)
        x, r = x + step * p, r - step * Hp
        rr_new = dot(r, r)
        p, rr = r + rr_new / rr.clamp(min=TINY) * p, rr_new
    return x


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of each pair of images, (B, 1, ...)."""
    return (a * b).sum(dim=tuple(range(1, a.ndim)), keepdim=True)


def prox_l2(physics: LinearPhysics, z: Tensor, y: Tensor, nu: float) -> Tensor:
    """``argmin_x ½‖Ax − y‖² + ν/2 ‖x − z‖²``: in closed form where the operator has one, else from z."""
    if has_closed_form_prox(physics):
        return physics.prox_l2(z, y, 1 / nu)
    return conjugate_gradient(lambda x: physics.A_adjoint(physics.A(x)) + nu * x, physics.A_adjoint(y) + nu * z, z)

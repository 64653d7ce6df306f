"""TV(x) = Σ_pixels √(Σ_channels Σ_axes (∇x)²), isotropic, and coupled over the channels.

Its conjugate is the indicator of the dual fields of pointwise length at most one, on which `project` projects.

L. Rudin, S. Osher, E. Fatemi, Nonlinear total variation based noise removal algorithms, Physica D 1992.
A. Chambolle, An algorithm for total variation minimization and applications, J. Math. Imaging Vis. 2004.
"""

from __future__ import annotations

from torch import Tensor

from baselines.functionals.regulariser import Regulariser, sum_of
from baselines.transforms.finite_differences import gradient, gradient_adjoint, gradient_norm_squared, magnitude

TINY = 1e-30  # a radius of zero, which is divided by


def project(p: Tensor, radius: float | Tensor) -> Tensor:
    """The nearest field of pointwise length at most ``radius``, a number or a map (B, 1, ...); in place."""
    radius = radius.clamp(min=TINY) if isinstance(radius, Tensor) else max(radius, TINY)
    return p.div_(magnitude(p).div_(radius).clamp_(min=1))


def total_variation(lam: float | Tensor, dims: int) -> Regulariser:
    """λ Σ |∇x|, with ``lam`` a number or a map of weights (B, 1, ...)."""
    return Regulariser(
        K=gradient,
        K_adjoint=gradient_adjoint,
        K_norm=gradient_norm_squared(dims) ** 0.5,
        value=lambda p: sum_of(lam * magnitude(p)),
        prox_dual=lambda p, sigma: project(p, lam),
    )

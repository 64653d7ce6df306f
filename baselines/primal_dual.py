"""min_x f(x) + g(Kx) with f(x) = ½‖Ax − y‖²/‖A‖², by over-relaxed primal-dual iterations.

    x⁺ = prox_{τf}(x − τKᵀp),   p⁺ = prox_{σg*}(p + σK(2x⁺ − x)),   (x, p) ← (x, p) + ρ(x⁺ − x, p⁺ − p)

with τσ‖K‖² = 1. Where prox_{τf} has no closed form, the data term gets a dual variable q of its own, which holds the
residual: x⁺ = x − τ(Kᵀp + Aᵀq) is then a plain step.

What a few hundred iterations reach depends on τ/σ, the ``ratio`` here after K and A are scaled to norm one: the
squared distance that x has to go, over that of p. Both scale with the image, so one ratio serves all units.

A. Chambolle, T. Pock, A first-order primal-dual algorithm for convex problems, J. Math. Imaging Vis. 2011.
L. Condat, A primal-dual splitting method for convex optimization, J. Optim. Theory Appl. 2013 (relaxation by ρ).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deepinv.physics import DecomposablePhysics, LinearPhysics
from torch import Tensor

RELAXATION = 1.9  # ρ; Condat 2013, theorem 3.3, converges below 2

# τ/σ by sweeps over powers of ten on phantoms and photographs (a factor of three either way matters little)
RATIO_WELL_POSED = 0.05  # denoising
RATIO_PROX = 200.0  # operators that lose information, with a closed-form proximal map
RATIO_DUAL = 30.0  # and those without one
WELL_POSED = 0.1  # of the smallest to the largest squared singular value


@dataclass(frozen=True)
class Regulariser:
    """g(Kx): ``K``, its adjoint and norm, and ``project``, prox_{σg*}, which may overwrite its argument.

    g is a norm, so prox_{σg*} is the projection on its dual ball whatever σ is.
    """

    K: Callable[[Tensor], Tensor]
    K_adjoint: Callable[[Tensor], Tensor]
    K_norm: float
    project: Callable[[Tensor], Tensor]


def has_closed_form_prox(physics: LinearPhysics) -> bool:
    """Whether the operator brings its own ``prox_l2``; deepinv's default runs conjugate gradients."""
    return type(physics).prox_l2 is not LinearPhysics.prox_l2


def convexity(physics: LinearPhysics, norm: float) -> float:
    """The strong convexity of f, the smallest over the largest squared singular value of A; 0 where it isn't known."""
    if isinstance(physics, DecomposablePhysics):
        return (float(physics.mask.abs().min()) / norm) ** 2
    return 0.0


def solve(
    x: Tensor,  # (B, C, ...), where the iterations start
    y: Tensor,
    physics: LinearPhysics,
    norm: float,  # of A
    g: Regulariser,
    iterations: int,
) -> Tensor:
    """The minimiser, by whichever of the two iterations suits the operator."""
    if not has_closed_form_prox(physics):
        return solve_by_dual(x, y, physics, norm, g, iterations, RATIO_DUAL)
    well_posed = convexity(physics, norm) > WELL_POSED
    return solve_by_prox(x, y, physics, norm, g, iterations, RATIO_WELL_POSED if well_posed else RATIO_PROX)


def solve_by_prox(
    x: Tensor, y: Tensor, physics: LinearPhysics, norm: float, g: Regulariser, iterations: int, ratio: float
) -> Tensor:
    """With one ``prox_l2`` an iteration."""
    tau, sigma = ratio**0.5 / g.K_norm, ratio**-0.5 / g.K_norm
    x_new, x = x, x.clone()
    p = g.K(x).zero_()
    for _ in range(iterations):
        x_new = physics.prox_l2(x - tau * g.K_adjoint(p), y, tau / norm**2)
        p_new = g.project(g.K(2 * x_new - x).mul_(sigma).add_(p))
        x.lerp_(x_new, RELAXATION)
        p.lerp_(p_new, RELAXATION)
    return x_new


def solve_by_dual(
    x: Tensor, y: Tensor, physics: LinearPhysics, norm: float, g: Regulariser, iterations: int, ratio: float
) -> Tensor:
    """With one ``A`` and one ``A_adjoint`` an iteration.

    The dual step of each block is divided by the block's squared norm, so that neither K nor A limits the other's step.
    """
    tau, sigma = (ratio / 2) ** 0.5, (ratio * 2) ** -0.5
    x_new, x = x, x.clone()
    p = g.K(x).zero_()
    q = (physics.A(x) - y) / norm  # optimal for this x
    for _ in range(iterations):
        x_new = x - tau * (g.K_adjoint(p) + physics.A_adjoint(q) / norm)
        x_bar = 2 * x_new - x
        p_new = g.project(g.K(x_bar).mul_(sigma / g.K_norm**2).add_(p))
        q_new = (q + (sigma / norm) * (physics.A(x_bar) - y)) / (1 + sigma)
        x.lerp_(x_new, RELAXATION)
        p.lerp_(p_new, RELAXATION)
        q.lerp_(q_new, RELAXATION)
    return x_new

"""min_v f(v) + g(Kv) by over-relaxed primal-dual iterations.

    v⁺ = prox_{τf}(v − τKᵀp),   p⁺ = prox_{σg*}(p + σK(2v⁺ − v)),   (v, p) ← (v, p) + ρ(v⁺ − v, p⁺ − p)

with τσ‖K‖² = 1. Where prox_{τf} has no closed form, f = h(A·) gets a dual variable q of its own: v⁺ = v − τ(Kᵀp + Aᵀq)
is then a plain step.

What a few hundred iterations reach depends on τ/σ, the ``ratio`` here after K and A are scaled to norm one: the
squared distance that v has to go, over that of p. Both scale with the image, so one ratio serves all units.

A. Chambolle, T. Pock, A first-order primal-dual algorithm for convex problems, J. Math. Imaging Vis. 2011.
L. Condat, A primal-dual splitting method for convex optimization, J. Optim. Theory Appl. 2013 (relaxation by ρ).
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from baselines.functionals.data_fit import DataFit
from baselines.functionals.regulariser import Regulariser

RELAXATION = 1.9  # ρ; Condat 2013, theorem 3.3, converges below 2

# τ/σ by sweeps over powers of ten on phantoms and photographs (a factor of three either way matters little)
RATIO_WELL_POSED = 0.05  # denoising
RATIO_PROX = 200.0  # operators that lose information, with a closed-form proximal map
RATIO_DUAL = 30.0  # and those without one
WELL_POSED = 0.1  # of the smallest to the largest squared singular value


def best_ratio(f: DataFit) -> float:
    """τ/σ, by what is known of f."""
    if f.prox is None:
        return RATIO_DUAL
    return RATIO_WELL_POSED if f.convexity > WELL_POSED else RATIO_PROX


def pdhg(start: Tensor, f: DataFit, g: Regulariser, iterations: int, watch: Callable[[Tensor], None]) -> Tensor:
    """The minimiser, by whichever of the two iterations suits f; ``watch`` is shown every iterate."""
    iterate = by_dual if f.prox is None else by_prox
    return iterate(start, f, g, iterations, best_ratio(f), watch)


def by_prox(
    v: Tensor, f: DataFit, g: Regulariser, iterations: int, ratio: float, watch: Callable[[Tensor], None]
) -> Tensor:
    """With one prox of f an iteration."""
    assert f.prox is not None
    tau, sigma = ratio**0.5 / g.K_norm, ratio**-0.5 / g.K_norm
    v_new, v = v, v.clone()
    p = g.K(v).zero_()
    for _ in range(iterations):
        v_new = f.prox(v.sub(g.K_adjoint(p), alpha=tau), tau)
        p_new = g.prox_dual(p.add(g.K(v.lerp(v_new, 2.0)), alpha=sigma), sigma)
        v.lerp_(v_new, RELAXATION)
        p.lerp_(p_new, RELAXATION)
        watch(v_new)
    return v_new


def by_dual(
    v: Tensor, f: DataFit, g: Regulariser, iterations: int, ratio: float, watch: Callable[[Tensor], None]
) -> Tensor:
    """With one A and one Aᵀ an iteration.

    The dual step of each block is divided by the block's squared norm, so that neither K nor A limits the other's step.
    """
    tau, sigma = (ratio / 2) ** 0.5, (ratio * 2) ** -0.5
    v_new, v = v, v.clone()
    p = g.K(v).zero_()
    q = f.pointwise_gradient(v) if f.least_squares else f.A(v).zero_()  # the best q for this v, or zero
    for _ in range(iterations):
        v_new = v - tau * (g.K_adjoint(p) + f.A_adjoint(q))
        v_bar = v.lerp(v_new, 2.0)
        p_new = g.prox_dual(g.K(v_bar).mul_(sigma / g.K_norm**2).add_(p), sigma / g.K_norm**2)
        q_new = f.prox_dual(f.A(v_bar).mul_(sigma).add_(q), sigma)
        v.lerp_(v_new, RELAXATION)
        p.lerp_(p_new, RELAXATION)
        q.lerp_(q_new, RELAXATION)
        watch(v_new)
    return v_new

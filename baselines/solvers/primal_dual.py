"""min_v f(v) + g(Kv) by over-relaxed primal-dual iterations.

    v⁺ = prox_{τf}(v − τKᵀp),   p⁺ = prox_{σg*}(p + σK(2v⁺ − v)),   (v, p) ← (v, p) + ρ(v⁺ − v, p⁺ − p)

with τσ‖K‖² = 1. Where prox_{τf} has no closed form, f = h(A·) gets a dual variable q of its own, and the step of v is
v⁺ = v − τ(Kᵀp + Aᵀq).

The speed depends on the ``ratio`` τ/σ, after K and A are scaled to norm one. The best ratio is the squared distance
that v has to go, over the squared distance that p has to go. Both scale with the image, so one ratio serves all units.

A. Chambolle, T. Pock, A first-order primal-dual algorithm for convex problems, J. Math. Imaging Vis. 2011.
L. Condat, A primal-dual splitting method for convex optimization, J. Optim. Theory Appl. 2013 (relaxation by ρ).
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from baselines.functionals.data_fit import DataFit
from baselines.functionals.regulariser import Regulariser
from baselines.solvers.repeat import repeat, unwatched

RELAXATION = 1.9  # ρ; Condat 2013, theorem 3.3, converges below 2

# τ/σ by sweeps over powers of ten on phantoms and photographs. A factor of three either way matters little.
RATIO_WELL_POSED = 0.05  # for denoising
RATIO_PROX = 200.0  # for operators that lose information, where f has a closed-form proximal map
RATIO_DUAL = 30.0  # for operators that lose information, where f has none
WELL_POSED = 0.1  # ratio of the smallest to the largest squared singular value, above which f is well posed


def best_ratio(f: DataFit) -> float:
    """τ/σ for the data term f."""
    if f.prox is None:
        return RATIO_DUAL
    return RATIO_WELL_POSED if f.convexity > WELL_POSED else RATIO_PROX


def pdhg(start: Tensor, f: DataFit, g: Regulariser, iterations: int, watch: Callable[[Tensor], None]) -> Tensor:
    """The minimiser, by `by_prox` if f has a proximal map, else `by_dual`; ``watch`` is called with every iterate."""
    iterate = by_dual if f.prox is None else by_prox
    return iterate(start, f, g, iterations, best_ratio(f), watch)


def by_prox(
    v: Tensor, f: DataFit, g: Regulariser, iterations: int, ratio: float, watch: Callable[[Tensor], None]
) -> Tensor:
    """The minimiser, with one prox of f an iteration.

    On a GPU the iterations are recorded where ``watch`` is `unwatched`.
    """
    prox = f.prox
    assert prox is not None
    tau, sigma = ratio**0.5 / g.K_norm, ratio**-0.5 / g.K_norm
    v_new, v = v, v.clone()
    p = g.K(v).zero_()

    def step() -> None:
        nonlocal v_new
        v_new = prox(v.sub(g.K_adjoint(p), alpha=tau), tau)
        p_new = g.prox_dual(p.add(g.K(v.lerp(v_new, 2.0)), alpha=sigma), sigma)
        v.lerp_(v_new, RELAXATION)
        p.lerp_(p_new, RELAXATION)
        watch(v_new)

    repeat(step, iterations, v.device, recordable=watch is unwatched)
    return v_new


def by_dual(
    v: Tensor, f: DataFit, g: Regulariser, iterations: int, ratio: float, watch: Callable[[Tensor], None]
) -> Tensor:
    """The minimiser, with one A and one Aᵀ an iteration.

    Each dual step is divided by the squared norm of its own operator, so that neither K nor A limits the other's step.
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

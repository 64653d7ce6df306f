"""min_v f(v) + g(z), z = Kv, by the alternating direction method of multipliers (split Bregman).

    v⁺ = argmin f(v) + ρ/2 ‖Kv − z + u‖²,   z⁺ = prox_{g/ρ}(Kv⁺ + u),   u⁺ = u + Kv⁺ − z⁺

For least squares the v-step is the linear system (AᵀA + ρKᵀK) v = Aᵀy + ρKᵀ(z − u), solved by a few conjugate
gradients from the last v. Any other f = h(A·) is split in the same way as g, with its own z = Av.

S. Boyd et al., Distributed optimization and statistical learning via the ADMM, Found. Trends Mach. Learn. 2011.
T. Goldstein, S. Osher, The split Bregman method for L1-regularized problems, SIAM J. Imaging Sci. 2009.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from baselines.conjugate_gradient import conjugate_gradient
from baselines.functionals.data_fit import DataFit
from baselines.functionals.regulariser import Regulariser
from baselines.solvers.primal_dual import best_ratio

INNER = 5  # conjugate gradients an iteration, from the last v; more gain nothing on test problems


def admm(v: Tensor, f: DataFit, g: Regulariser, iterations: int, watch: Callable[[Tensor], None]) -> Tensor:
    """The minimiser, of the shape of ``v``, where the iterations start; ``watch`` is called with every iterate."""
    rho = best_ratio(f) ** -0.5 / g.K_norm  # the dual step of the primal-dual iterations
    measured, update = _least_squares(f, v) if f.least_squares else _split(f, v)
    z = g.K(v)
    u = z.new_zeros(z.shape)

    def system(v: Tensor) -> Tensor:
        return f.A_adjoint(f.A(v)) + rho * g.K_adjoint(g.K(v))

    for _ in range(iterations):
        v = conjugate_gradient(system, measured() + rho * g.K_adjoint(z - u), v, INNER)
        Kv = g.K(v)
        z = g.prox(Kv + u, 1 / rho)
        u = u + Kv - z
        update(v)
        watch(v)
    return v


def _least_squares(f: DataFit, v: Tensor) -> tuple[Callable[[], Tensor], Callable[[Tensor], None]]:
    """Aᵀy = −f'(0), and an update that does nothing."""
    A_adjoint_y = -f.gradient(v.new_zeros(v.shape))
    return lambda: A_adjoint_y, lambda v: None


def _split(f: DataFit, v: Tensor) -> tuple[Callable[[], Tensor], Callable[[Tensor], None]]:
    """Aᵀ(z − u) for z = Av with multiplier u, and their update. The penalty is one, as f is scaled to ‖A‖ = 1."""
    z = f.A(v)
    u = z.new_zeros(z.shape)

    def update(v: Tensor) -> None:
        nonlocal z, u
        Av = f.A(v)
        z = f.F.prox((Av + u) * f.norm, 1.0) / f.norm
        u = u + Av - z

    return lambda: f.A_adjoint(z - u), update

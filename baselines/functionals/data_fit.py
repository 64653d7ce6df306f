"""f(v) = F(A D v; y) / ‖A‖²,   F = −σ² log p(y | ·) the likelihood of the noise, D a synthesis with D Dᵀ = 1

The data term of a variational model, with the maps that algorithms need. Since f is divided by ‖A‖², its gradient has
Lipschitz constant one for Gaussian noise, in any unit of the measurement. D is the identity unless `compose` gives
another one: a wavelet synthesis, or the map that picks the image from a list of unknowns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from deepinv.physics import DecomposablePhysics, Denoising, LinearPhysics
from torch import Tensor

from baselines.conjugate_gradient import conjugate_gradient
from baselines.functionals.likelihood import LeastSquares, Likelihood, likelihood
from bench.contract.operators import operator_norm

Map = Callable[[Tensor], Tensor]

PROX_STEPS = 20  # conjugate gradients in place of a closed form; set by hand


@dataclass(frozen=True)
class DataFit:
    """The data term f of one batch. ``A`` and its adjoint are divided by ``norm``; ``F`` keeps the measurement's unit.

    ``prox`` gives prox_{step f}(v) from (v, step); None without a closed form. ``convexity`` is the ratio of the
    smallest to the largest squared singular value of A; 0 where it is unknown.
    """

    A: Map
    A_adjoint: Map
    F: Likelihood
    norm: float
    prox: Callable[[Tensor, float], Tensor] | None
    convexity: float = 0.0

    @property
    def least_squares(self) -> bool:
        """Whether f(v) = ½‖Av − y‖²/‖A‖²."""
        return isinstance(self.F, LeastSquares)

    def value(self, v: Tensor) -> Tensor:
        """f of each image of a batch, (B,)."""
        return self.F.value(self.norm * self.A(v)) / self.norm**2

    def pointwise_gradient(self, v: Tensor) -> Tensor:
        """h'(Av) of f = h(A·), in the space of the measurement; the gradient of f is Aᵀh'(Av)."""
        return self.F.gradient(self.norm * self.A(v)) / self.norm

    def gradient(self, v: Tensor) -> Tensor:
        """∇f(v), of the shape of v."""
        return self.A_adjoint(self.pointwise_gradient(v))

    def prox_dual(self, q: Tensor, sigma: float) -> Tensor:
        """prox_{σh*}(q) of h(z) = F(‖A‖z)/‖A‖², from the proximal map of F by Moreau's identity."""
        return q - (sigma / self.norm) * self.F.prox(q * (self.norm / sigma), 1 / sigma)

    def compose(self, synthesis: Map, analysis: Map) -> DataFit:
        """f ∘ D, with ``synthesis`` D and ``analysis`` Dᵀ. Since D Dᵀ = 1, its prox follows from the prox of f."""
        inner = self.prox

        def prox(v: Tensor, step: float) -> Tensor:
            assert inner is not None
            x = synthesis(v)
            return v + analysis(inner(x, step) - x)

        return replace(
            self,
            A=lambda v: self.A(synthesis(v)),
            A_adjoint=lambda q: analysis(self.A_adjoint(q)),
            prox=prox if inner is not None else None,
        )


def data_fit(physics: LinearPhysics, y: Tensor, data: str = "matched") -> DataFit:
    """The data term of ``y``; ``data`` is "matched" to the noise that the physics declares, or "gaussian"."""
    norm = operator_norm(physics, y)
    F = likelihood(y, getattr(physics, "noise_model", None), data)

    def by_likelihood(x: Tensor, step: float) -> Tensor:
        return F.prox(x, step)

    def by_physics(x: Tensor, step: float) -> Tensor:
        return physics.prox_l2(x, y, step / norm**2)

    prox = None
    if isinstance(physics, Denoising):
        prox = by_likelihood
    elif isinstance(F, LeastSquares) and has_closed_form_prox(physics):  # deepinv's default iterates
        prox = by_physics
    convexity = 0.0
    if isinstance(physics, DecomposablePhysics):
        convexity = (float(physics.mask.abs().min()) / norm) ** 2
    return DataFit(
        A=lambda x: physics.A(x) / norm,
        A_adjoint=lambda q: physics.A_adjoint(q) / norm,
        F=F,
        norm=norm,
        prox=prox,
        convexity=convexity,
    )


def descent_fit(physics: LinearPhysics, y: Tensor, data: str = "matched") -> DataFit:
    """`data_fit` for gradient descent: least squares instead of an f with neither a prox nor a Lipschitz gradient."""
    f = data_fit(physics, y, data)
    return f if f.prox is not None or f.F.lipschitz is not None else data_fit(physics, y, "gaussian")


def has_closed_form_prox(physics: LinearPhysics) -> bool:
    """Whether the operator has a ``prox_l2`` of its own; the default of deepinv iterates."""
    return type(physics).prox_l2 is not LinearPhysics.prox_l2


def prox_l2(physics: LinearPhysics, z: Tensor, y: Tensor, nu: float) -> Tensor:
    """``argmin_x ½‖Ax − y‖² + ν/2 ‖x − z‖²``, in closed form, or by conjugate gradients from z."""
    if has_closed_form_prox(physics):
        return physics.prox_l2(z, y, 1 / nu)

    def system(x: Tensor) -> Tensor:
        return physics.A_adjoint(physics.A(x)) + nu * x

    return conjugate_gradient(system, physics.A_adjoint(y) + nu * z, z, PROX_STEPS)

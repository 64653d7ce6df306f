"""min_{x,v} f(x) + λ/2 Σ (v² |∇x|² + κ² (1 − v)² + 4κ²ε² |∇v|²)

The model of Mumford and Shah in the approximation of Ambrosio and Tortorelli. The image is smooth except at edges,
where v falls to zero. An edge is cheaper than smoothing where |∇x| exceeds κ. Steps of diffusion with the coefficient
v² alternate with conjugate gradients for v.

D. Mumford, J. Shah, Optimal approximations by piecewise smooth functions, CPAM 1989.
L. Ambrosio, V. Tortorelli, Approximation of functionals depending on jumps by elliptic functionals, CPAM 1990.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from baselines.conjugate_gradient import conjugate_gradient
from baselines.functionals.regulariser import sum_of
from baselines.solvers.anisotropic_diffusion import Diffusion
from baselines.transforms.finite_differences import gradient, gradient_adjoint, magnitude
from bench.contract.space import Float

EPSILON = 0.5  # ε in pixels, half the width of an edge; set by hand
EDGE_STEPS = 3  # conjugate gradients for v, from the last v; set by hand


class MumfordShah(Diffusion):
    """``lam``: λ. ``edge``: κ in units of the root mean square of the direct reconstruction."""

    search_space: ClassVar = {"lam": Float(1e-3, 300, log=True), "edge": Float(2e-3, 10, log=True)}

    def __init__(self, lam: float = 1.0, edge: float = 0.2, iterations: int = 200, data: str = "matched") -> None:
        super().__init__(lam, edge, iterations, data)

    def coefficient(self, length: Tensor, kappa: Tensor, last: Tensor) -> Tensor:
        """v² of the v that minimises the objective for this |∇x|: (|∇x|²/κ² + 1 − 4ε²Δ) v = 1."""
        stiffness = 1 + (length / kappa) ** 2

        def system(v: Tensor) -> Tensor:
            return stiffness * v + 4 * EPSILON**2 * gradient_adjoint(gradient(v))

        return conjugate_gradient(system, torch.ones_like(length), last.sqrt(), EDGE_STEPS).clamp_(0, 1).square_()

    def energy(self, length: Tensor, kappa: Tensor, c: Tensor) -> Tensor:
        v = c.sqrt()
        bend = magnitude(gradient(v))
        return 0.5 * sum_of(c * length**2 + kappa**2 * ((1 - v) ** 2 + 4 * EPSILON**2 * bend**2))

"""x_t = div(c ∇x) − ∇f(x)/λ:   anisotropic diffusion with a data term

The coefficient c in (0, 1] depends on the image. After each step of diffusion comes the prox of f. Where f has no prox,
one gradient step serves both terms. Neither raises the objective f + λ g, if ∇ᵀ(c∇x) is the gradient of g or of a
majoriser of g.

K. Nordström, Biased anisotropic diffusion, Image Vis. Comput. 1990.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor

from baselines.choice import DATA, one_of
from baselines.functionals.data_fit import DataFit, descent_fit
from baselines.networks.normalisation import rms
from baselines.solvers.proximal_gradient import lipschitz
from baselines.transforms.finite_differences import gradient, gradient_adjoint, gradient_norm_squared, magnitude
from bench.contract.method import Method
from bench.contract.operators import direct


class Diffusion(Method):
    """``lam``: λ. ``edge``: the gradient κ of an edge, in units of the root mean square of the direct reconstruction.
    ``data``: "matched" to the noise that the physics declares, or "gaussian"."""

    def __init__(self, lam: float, edge: float, iterations: int, data: str) -> None:
        super().__init__()
        self.lam = lam
        self.edge = edge
        self.iterations = iterations
        self.data = one_of("data", data, DATA)

    @abstractmethod
    def coefficient(self, length: Tensor, kappa: Tensor, last: Tensor) -> Tensor:
        """c (B, 1, ...) where |∇x| is ``length``; ``last`` is the c of the step before."""

    @abstractmethod
    def energy(self, length: Tensor, kappa: Tensor, c: Tensor) -> Tensor:
        """g of each image, (B,)."""

    @torch.no_grad()
    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        x = direct(y, physics)
        return self.diffuse(x, descent_fit(physics, y, self.data), self.edge * rms(x), lambda x, c: None)

    @torch.no_grad()
    def convergence(self, y: Tensor, physics: LinearPhysics) -> list[float]:
        """The objective after each iteration, its mean over the batch."""
        x, values = direct(y, physics), []
        f, kappa = descent_fit(physics, y, self.data), self.edge * rms(x)

        def watch(x: Tensor, c: Tensor) -> None:
            objective = f.value(x) + self.lam * self.energy(magnitude(gradient(x)), kappa, c)
            values.append(float(objective.mean()))

        self.diffuse(x, f, kappa, watch)
        return values

    def diffuse(self, x: Tensor, f: DataFit, kappa: Tensor, watch: Callable[[Tensor, Tensor], None]) -> Tensor:
        """The image after all steps from ``x``; ``watch`` is called with every iterate and its c."""
        L = self.lam * gradient_norm_squared(x.ndim - 2)  # Lipschitz constant of the diffusion, since c is at most one
        c = torch.ones_like(x[:, :1])
        for _ in range(self.iterations):
            flux = gradient(x)
            c = self.coefficient(magnitude(flux), kappa, c)
            smoothing = self.lam * gradient_adjoint(flux.mul_(c))
            if f.prox is not None:
                x = f.prox(x - smoothing / L, 1 / L)
            else:
                x = x - (smoothing + f.gradient(x)) / (L + lipschitz(f))
            watch(x, c)
        return x

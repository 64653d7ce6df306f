"""x_t = −(2/π) arctan(G_σ ∗ x_ηη / τ) |∇x| + c x_ξξ − ∇f(x)/ν:   edges are sharpened to shocks

η runs along the gradient, ξ across it. The first term moves grey values towards the nearer side of an edge, which lies
at the zero crossing of the second derivative along η of the smoothed image. For τ → 0 the arctangent becomes a sign,
which turns texture to patches; the arctangent leaves weak edges alone. The second term smooths along the edges. Each
step ends with the prox of the data term, argmin f + ν/(2Δt) ‖· − x‖², or with a gradient step where f has no prox.

S. Osher, L. Rudin, Feature-oriented image enhancement using shock filters, SIAM J. Numer. Anal. 1990 (minmod).
L. Alvarez, L. Mazorra, Signal and image restoration using shock filters and anisotropic diffusion, ibid. 1994.
G. Gilboa, N. Sochen, Y. Zeevi, Image enhancement and denoising by complex diffusion processes, IEEE TPAMI 2004.
"""

from __future__ import annotations

from math import pi
from typing import ClassVar

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor
from torch.nn.functional import pad

from baselines.functionals.data_fit import descent_fit
from baselines.networks.normalisation import rms
from baselines.solvers.proximal_gradient import lipschitz
from bench.contract.method import Method
from bench.contract.operators import direct
from bench.contract.space import Float

TINY = 1e-12  # stands for a τ of zero, and, over the largest squared gradient, for the gradient of a flat region


class ShockFilter(Method):
    """``weight``: ν. ``smoothing``: c. ``sigma``: of the Gaussian G, in pixels.

    ``softness``: τ in units of the root mean square of the direct reconstruction.
    """

    search_space: ClassVar = {"weight": Float(1e-4, 300, log=True), "smoothing": Float(0.01, 30, log=True)}

    def __init__(
        self,
        weight: float = 0.02,
        smoothing: float = 1.0,
        sigma: float = 1.0,
        softness: float = 0.3,
        iterations: int = 30,
    ) -> None:
        super().__init__()
        self.weight = weight
        self.smoothing = smoothing
        self.sigma = sigma
        self.softness = softness
        self.iterations = iterations

    @torch.no_grad()
    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        x, f = direct(y, physics), descent_fit(physics, y)
        tau = (self.softness * rms(x)).clamp(min=TINY)
        step = 0.5 / (x.ndim - 2) / max(1.0, self.smoothing)  # Δt; stable, as each term by itself is at this step
        for _ in range(self.iterations):
            x = x + step * self.flow(x, tau)
            if f.prox is not None:
                x = f.prox(x, step / self.weight)
            else:
                x = x - f.gradient(x) / (lipschitz(f) + self.weight / step)
        return x

    def flow(self, x: Tensor, tau: Tensor) -> Tensor:
        """x_t without the data term."""
        along, _ = second_derivatives(gaussian(x, self.sigma))
        _, across = second_derivatives(x)
        return self.smoothing * across - (2 / pi) * torch.atan(along / tau) * minmod_gradient(x)


def neighbours(x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """The pixels before and after each pixel along an axis; the edge is repeated."""
    n = x.shape[axis]
    first, last = x.narrow(axis, 0, 1), x.narrow(axis, n - 1, 1)
    return torch.cat([first, x.narrow(axis, 0, n - 1)], axis), torch.cat([x.narrow(axis, 1, n - 1), last], axis)


def second_derivatives(x: Tensor) -> tuple[Tensor, Tensor]:
    """x_ηη along the gradient, and the sum of the second derivatives across it, by central differences."""
    axes = range(2, x.ndim)
    around = {axis: neighbours(x, axis) for axis in axes}
    first = {axis: (after - before) / 2 for axis, (before, after) in around.items()}
    bend = torch.zeros_like(x)
    laplacian = torch.zeros_like(x)
    for i in axes:
        before, after = around[i]
        second = before + after - 2 * x
        laplacian += second
        bend += first[i] ** 2 * second
        for j in range(i + 1, x.ndim):
            before, after = neighbours(first[i], j)
            bend += first[i] * first[j] * (after - before)  # twice the mixed derivative
    steep = torch.stack(list(first.values())).square().sum(0)
    flat = TINY * steep.amax(tuple(range(1, x.ndim)), keepdim=True)
    along = bend / steep.maximum(flat.clamp(min=torch.finfo(x.dtype).tiny))
    return along, laplacian - along


def minmod_gradient(x: Tensor) -> Tensor:
    """|∇x| from the minmod of one-sided differences: zero at extrema, which a shock filter must not move."""
    square = torch.zeros_like(x)
    for axis in range(2, x.ndim):
        before, after = neighbours(x, axis)
        left, right = x - before, after - x
        square += torch.where(left * right > 0, torch.minimum(left.abs(), right.abs()), 0) ** 2
    return square.sqrt()


def gaussian(x: Tensor, sigma: float) -> Tensor:
    """Convolution with a Gaussian; the edge is repeated."""
    radius = max(1, round(3 * sigma))
    t = torch.arange(-radius, radius + 1, device=x.device, dtype=x.dtype)
    kernel = torch.exp(-0.5 * (t / sigma) ** 2)
    kernel = kernel / kernel.sum()
    for axis in range(2, x.ndim):
        lines = x.movedim(axis, -1)
        padded = pad(lines.reshape(-1, 1, lines.shape[-1]), (radius, radius), mode="replicate")
        lines = torch.nn.functional.conv1d(padded, kernel[None, None]).reshape(lines.shape)
        x = lines.movedim(-1, axis)
    return x

"""min_{x,w} f(x) + λ (Σ |∇x − w| + β Σ |Ew|),   E = (∇ + ∇ᵀ)/2: total generalized variation of second order

The vector field w takes up the smooth part of the gradient, so that slopes stay slopes, where total variation makes
stairs. Lengths run over the components and the channels together, in 2D and 3D.

K. Bredies, K. Kunisch, T. Pock, Total generalized variation, SIAM J. Imaging Sci. 2010.
F. Knoll et al., Second order total generalized variation (TGV) for MRI, Magn. Reson. Med. 2011.
"""

from __future__ import annotations

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor

from baselines.functionals.data_fit import data_fit
from baselines.functionals.regulariser import Regulariser, sum_of
from baselines.functionals.total_variation import project
from baselines.solvers.variational import Model, Variational
from baselines.transforms.finite_differences import (
    gradient,
    gradient_adjoint,
    gradient_norm_squared,
    magnitude,
)
from bench.contract.operators import direct

BETA = 2.0  # Knoll 2011, section "Numerical algorithm": α₀/α₁ = 2 throughout


class TGV(Variational):
    """``lam``: λ in the unit of the image, about the best λ of total variation."""

    def __init__(
        self, lam: float = 0.01, algorithm: str = "pdhg", iterations: int = 300, data: str = "matched"
    ) -> None:
        super().__init__(algorithm, iterations, data)
        self.lam = lam

    def model(self, y: Tensor, physics: LinearPhysics) -> Model:
        x = direct(y, physics)
        channels, dims = x.shape[1], x.ndim - 2

        def image(v: Tensor) -> Tensor:
            return v[:, :channels]

        def lift(x: Tensor) -> Tensor:
            """(x, w = 0), the components of w stacked behind x along the channels."""
            return torch.cat([x, x.new_zeros(len(x), dims * channels, *x.shape[2:])], 1)

        f = data_fit(physics, y, self.data).compose(image, lift)
        return Model(f, self.regulariser(channels, dims), lift(x), image)

    def regulariser(self, channels: int, dims: int) -> Regulariser:
        """g of fields (∇x − w, Ew), stacked on the first axis."""

        def split(v: Tensor) -> tuple[Tensor, Tensor]:
            """x (B, C, ...) and w (dims, B, C, ...)."""
            return v[:, :channels], v[:, channels:].unflatten(1, (dims, channels)).movedim(1, 0)

        def K(v: Tensor) -> Tensor:
            x, w = split(v)
            return torch.cat([gradient(x).sub_(w), symmetrised_gradient(w)])

        def K_adjoint(p: Tensor) -> Tensor:
            first, second = p[:dims], p[dims:]
            w = symmetrised_gradient_adjoint(second, dims).sub_(first)
            return torch.cat([gradient_adjoint(first), w.movedim(0, 1).flatten(1, 2)], 1)

        def value(p: Tensor) -> Tensor:
            return self.lam * sum_of(magnitude(p[:dims]) + BETA * magnitude(p[dims:]))

        def project_parts(p: Tensor, sigma: float) -> Tensor:
            project(p[:dims], self.lam)
            project(p[dims:], BETA * self.lam)
            return p

        L = gradient_norm_squared(dims)
        # The norm of the matrix (√L, 1; 0, √L), whose entries bound the blocks of K
        K_norm = ((2 * L + 1 + (4 * L + 1) ** 0.5) / 2) ** 0.5
        return Regulariser(K, K_adjoint, K_norm, value, project_parts)


def symmetrised_gradient(w: Tensor) -> Tensor:
    """Ew of a field (dims, B, C, ...): the diagonal, then √2 times the upper part, (dims (dims + 1)/2, B, C, ...)."""
    rows = [gradient(component) for component in w]
    diagonal = [row[i] for i, row in enumerate(rows)]
    above = [(rows[i][j] + rows[j][i]).mul_(0.5**0.5) for i, j in pairs(len(w))]
    return torch.stack(diagonal + above)


def symmetrised_gradient_adjoint(e: Tensor, dims: int) -> Tensor:
    """The adjoint of `symmetrised_gradient`."""
    rows = e.new_zeros(dims, dims, *e.shape[1:])
    for i in range(dims):
        rows[i, i] = e[i]
    for component, (i, j) in zip(e[dims:], pairs(dims), strict=True):
        rows[i, j] = rows[j, i] = component * 0.5**0.5
    return torch.stack([gradient_adjoint(row) for row in rows])


def pairs(dims: int) -> list[tuple[int, int]]:
    """The places above the diagonal of a matrix (dims, dims)."""
    return [(i, j) for i in range(dims) for j in range(i + 1, dims)]

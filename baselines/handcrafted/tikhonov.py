"""min_x ½‖Ax − y‖²/‖A‖² + λ/2 Σ |∇x|²:   Tikhonov's regularisation of the gradient

Some operators solve it in closed form (`closed_form_tikhonov`): for the dipole of QSM both terms are diagonal in
Fourier space. Otherwise conjugate gradients start from the direct reconstruction. Edges are smoothed as noise is.

A. Tikhonov, Solution of incorrectly formulated problems and the regularization method, Soviet Math. Dokl. 1963.
B. Bilgic et al., Fast quantitative susceptibility mapping with L1-regularization and automatic parameter selection,
MRM 2014 (eq. 5, the closed form for QSM).
"""

from __future__ import annotations

from typing import ClassVar

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor

from baselines.conjugate_gradient import conjugate_gradient
from baselines.transforms.finite_differences import gradient, gradient_adjoint
from bench.contract.method import Method
from bench.contract.operators import direct, operator_norm
from bench.contract.space import Float


class Tikhonov(Method):
    """``lam``: λ, in units of a pixel squared; in mm² where the operator solves it and knows its voxels."""

    search_space: ClassVar = {"lam": Float(1e-6, 100, log=True)}

    def __init__(self, lam: float = 0.1, iterations: int = 100) -> None:
        super().__init__()
        self.lam = lam
        self.iterations = iterations

    @torch.no_grad()
    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        norm = operator_norm(physics, y)
        if hasattr(physics, "closed_form_tikhonov"):
            return physics.closed_form_tikhonov(y, self.lam * norm**2)

        def system(x: Tensor) -> Tensor:
            return physics.A_adjoint(physics.A(x)) / norm**2 + self.lam * gradient_adjoint(gradient(x))

        return conjugate_gradient(system, physics.A_adjoint(y) / norm**2, direct(y, physics), self.iterations)

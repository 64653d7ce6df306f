"""min_x ‖Ax − y‖² + λ‖x‖²,   A = (M F s_c)_c for coils c:   sensitivity encoding, by conjugate gradients

With several coils A is nearly invertible although k-space is undersampled. Then no prior is needed; λ only keeps the
noise down where the sensitivities of the coils are alike. With one coil the result is the scaled zero-filled image.

K. Pruessmann, M. Weiger, P. Börnert, P. Boesiger, Advances in sensitivity encoding with arbitrary k-space trajectories,
MRM 2001.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor

from baselines.conjugate_gradient import conjugate_gradient
from bench.contract.method import Method
from bench.contract.operators import operator_norm
from bench.contract.space import Float
from bench.contract.task import Track


class Sense(Method):
    """``lam``: λ in units of ‖A‖²."""

    search_space: ClassVar = {"lam": Float(1e-5, 0.3, log=True)}

    def __init__(self, lam: float = 0.01, iterations: int = 50) -> None:
        super().__init__()
        self.lam = lam
        self.iterations = iterations

    @classmethod
    def supports(cls, track: Track) -> str | None:
        return None if track.modality == "mri" else "sensitivity encoding is a matter of receiver coils: MRI only"

    @torch.no_grad()
    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        weight = self.lam * operator_norm(physics, y) ** 2

        def system(x: Tensor) -> Tensor:
            return physics.A_adjoint(physics.A(x)) + weight * x

        b = physics.A_adjoint(y)
        return conjugate_gradient(system, b, torch.zeros_like(b), self.iterations)

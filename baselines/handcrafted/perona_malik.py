"""x_t = div(c(|∇x|) ∇x) − ∇f(x)/λ,   c(s) = 1/(1 + s²/κ²)

Anisotropic diffusion with a data term f. It stops at edges, where |∇x| exceeds κ. Its steady state is a stationary
point of f(x) + λ Σ κ²/2 log(1 + |∇x|²/κ²).

P. Perona, J. Malik, Scale-space and edge detection using anisotropic diffusion, IEEE TPAMI 1990.
K. Nordström, Biased anisotropic diffusion, Image Vis. Comput. 1990 (the data term).
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from baselines.functionals.regulariser import sum_of
from baselines.solvers.anisotropic_diffusion import Diffusion
from bench.contract.space import Float


class PeronaMalik(Diffusion):
    """``lam``: λ. ``edge``: κ in units of the root mean square of the direct reconstruction."""

    search_space: ClassVar = {"lam": Float(1e-3, 300, log=True), "edge": Float(2e-3, 10, log=True)}

    def __init__(self, lam: float = 1.0, edge: float = 0.2, iterations: int = 200, data: str = "matched") -> None:
        super().__init__(lam, edge, iterations, data)

    def coefficient(self, length: Tensor, kappa: Tensor, last: Tensor) -> Tensor:
        return 1 / (1 + (length / kappa) ** 2)

    def energy(self, length: Tensor, kappa: Tensor, c: Tensor) -> Tensor:
        return sum_of(0.5 * kappa**2 * torch.log1p((length / kappa) ** 2))

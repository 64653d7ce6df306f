"""min_x f(x) + λ₁ Σ_details |Ψx| + λ₂ TV(x),   Ψ orthonormal wavelets

Sparse MRI: wavelets for texture, and total variation for edges and against the blocks and ripples of shrunk wavelets.
Lengths run over the channels, the parts of a complex image together. Sides that Ψ needs longer are extended by zeros,
which keeps ΨᵀΨ = 1 (`baselines.transforms.wavelets`).

M. Lustig, D. Donoho, J. Pauly, Sparse MRI: the application of compressed sensing for rapid MR imaging, MRM 2007.
"""

from __future__ import annotations

from typing import ClassVar

from deepinv.physics import LinearPhysics
from torch import Tensor

from baselines.functionals.data_fit import data_fit
from baselines.functionals.l1 import length, project_lengths
from baselines.functionals.regulariser import Regulariser, sum_of
from baselines.functionals.total_variation import project
from baselines.solvers.variational import Model, Variational
from baselines.transforms.finite_differences import (
    gradient,
    gradient_adjoint,
    gradient_norm_squared,
    magnitude,
)
from baselines.transforms.wavelets import Wavelets, check_orthonormal, corner
from bench.contract.operators import direct


class WaveletTV(Variational):
    """``lam`` and ``lam_tv``: λ₁ and λ₂ in the unit of the image; ``wavelet``: a name of PyWavelets, here with the four
    taps of Lustig et al. 100 iterations end within 0.02 dB of the minimiser for photographs and MRI.
    """

    weights: ClassVar = ("lam", "lam_tv")

    def __init__(
        self,
        lam: float = 0.01,
        lam_tv: float = 0.01,
        wavelet: str = "db2",
        levels: int = 4,
        algorithm: str = "pdhg",
        iterations: int = 100,
        data: str = "matched",
    ) -> None:
        super().__init__(algorithm, iterations, data)
        self.lam = lam
        self.lam_tv = lam_tv
        check_orthonormal(wavelet)
        self.wavelet = wavelet
        self.levels = levels

    def model(self, y: Tensor, physics: LinearPhysics) -> Model:
        x = direct(y, physics)
        return Model(data_fit(physics, y, self.data), self.regulariser(Wavelets(x, self.wavelet, self.levels)), x)

    def regulariser(self, W: Wavelets) -> Regulariser:
        """On fields (dims + 1, B, C, ...): ∇x, then Ψx, which may be larger."""
        dims = len(W.shape)

        def K(x: Tensor) -> Tensor:
            p = x.new_zeros(dims + 1, *x.shape[:2], *W.padded)
            gradient(x, out=p[:dims][corner(W.shape)])
            p[dims] = W.synthesis_adjoint(x)
            return p

        def K_adjoint(p: Tensor) -> Tensor:
            return gradient_adjoint(p[:dims][corner(W.shape)]).add_(W.synthesis(p[dims]))

        def value(p: Tensor) -> Tensor:
            wavelets = sum_of(W.weights * length(p[dims], 1))
            return self.lam * wavelets + self.lam_tv * sum_of(magnitude(p[:dims]))

        def project_parts(p: Tensor, sigma: float) -> Tensor:
            project(p[:dims], self.lam_tv)
            project_lengths(p[dims], self.lam * W.weights, 1)
            return p

        return Regulariser(K, K_adjoint, (gradient_norm_squared(dims) + 1) ** 0.5, value, project_parts)

"""x_hat = Dc,   c = argmin f(Dc) + λ Σ_details |c|,   D the synthesis from orthonormal wavelets

The synthesis form: the image is a sum of few wavelets. For denoising the minimiser is the soft threshold of the
coefficients (Donoho and Johnstone 1994). Both parts of a complex coefficient shrink together, and the approximation is
not penalised.

I. Daubechies, M. Defrise, C. De Mol, An iterative thresholding algorithm for linear inverse problems, CPAM 2004.
A. Beck, M. Teboulle, A fast iterative shrinkage-thresholding algorithm, SIAM J. Imaging Sci. 2009.
"""

from __future__ import annotations

from typing import ClassVar

from deepinv.physics import LinearPhysics
from torch import Tensor

from baselines.functionals.data_fit import data_fit
from baselines.functionals.l1 import sparsity
from baselines.solvers.variational import Model, Variational
from baselines.transforms.wavelets import Wavelets, check_orthonormal
from bench.contract.operators import direct


class Wavelet(Variational):
    """``lam``: λ in the unit of the image; ``wavelet``: a name of PyWavelets (haar, db2, ..., sym8).

    ISTA and FISTA need a smooth data term; the default, primal-dual iterations, takes any. 100 iterations end within
    0.03 dB of the minimiser for photographs and MRI; CT takes 300.
    """

    algorithms: ClassVar = ("fista", "ista", "admm", "pdhg")

    def __init__(
        self,
        lam: float = 0.01,
        wavelet: str = "sym4",
        levels: int = 4,
        algorithm: str = "pdhg",
        iterations: int = 100,
        data: str = "matched",
    ) -> None:
        super().__init__(algorithm, iterations, data)
        self.lam = lam
        check_orthonormal(wavelet)
        self.wavelet = wavelet
        self.levels = levels

    def model(self, y: Tensor, physics: LinearPhysics) -> Model:
        x = direct(y, physics)
        W = Wavelets(x, self.wavelet, self.levels)
        f = data_fit(physics, y, self.data).compose(W.synthesis, W.synthesis_adjoint)
        return Model(f, sparsity(self.lam, W.weights), W.analysis(x), W.synthesis)

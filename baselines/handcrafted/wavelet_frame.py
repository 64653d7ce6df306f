"""min_x f(x) + λ Σ_details w|Wx|,   W a tight frame of B-spline framelets, WᵀW = 1

The analysis form: the image has few coefficients. W is undecimated, so it treats edges alike wherever they stand. It
holds second differences as well as first ones, and so is gentler on slopes than total variation. w is the norm of a
band's filter, so that λ is one threshold in units of the noise in each band.

J.-F. Cai, S. Osher, Z. Shen, Split Bregman methods and frame based image restoration, Multiscale Model. Simul. 2009.
"""

from __future__ import annotations

from deepinv.physics import LinearPhysics
from torch import Tensor

from baselines.functionals.data_fit import data_fit
from baselines.functionals.l1 import sparsity
from baselines.solvers.variational import Model, Variational
from baselines.transforms.framelets import Framelets
from bench.contract.operators import direct


class WaveletFrame(Variational):
    """``lam``: λ in the unit of the image; ``order`` of the splines: 1 Haar, 2 piecewise linear, 4 cubic.

    100 iterations end within 0.01 dB of the minimiser.
    """

    def __init__(
        self,
        lam: float = 0.01,
        order: int = 2,
        levels: int = 2,
        algorithm: str = "pdhg",
        iterations: int = 100,
        data: str = "matched",
    ) -> None:
        super().__init__(algorithm, iterations, data)
        self.lam = lam
        self.order = order
        self.levels = levels

    def model(self, y: Tensor, physics: LinearPhysics) -> Model:
        x = direct(y, physics)
        W = Framelets(x, self.order, self.levels)
        g = sparsity(self.lam, W.weights, W.analysis, W.adjoint, channel_axis=2)
        return Model(data_fit(physics, y, self.data), g, x)

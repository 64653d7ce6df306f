"""x_hat = Wᵀc,   c = argmin μ Σ_details w|c| + ½‖c‖²  with  A Wᵀc = y,   W a tight frame of B-spline framelets

Linearized Bregman iterations (`baselines.solvers.linearized_bregman`), which this method stops early: they start from
a coarse image and add details by their size, and noise comes last. Where the noise is declared with its strength, an
image stops as soon as its residual is as small as the noise (`baselines.functionals.discrepancy`), and only μ is
tuned. Elsewhere the number of iterations is tuned too. The synthesis form: the image is a sum of few framelets. Both
parts of a complex coefficient shrink together, and the approximation is not penalised.

μ is in units of the image's root mean square. The larger μ is, the sparser is the image and the more iterations it
takes. w is the norm of a band's filter, as in `baselines.handcrafted.wavelet_frame`. That this is a method of its own,
and no ``algorithm`` of that one, has a reason: it solves another problem, with the data as a constraint.

J.-F. Cai, S. Osher, Z. Shen, Linearized Bregman iterations for frame-based image deblurring, SIAM J. Imaging Sci. 2009.
W. Yin, S. Osher, D. Goldfarb, J. Darbon, Bregman iterative algorithms for l1-minimization with applications to
compressed sensing, SIAM J. Imaging Sci. 2008.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor

from baselines.choice import one_of
from baselines.functionals.data_fit import data_fit
from baselines.functionals.discrepancy import LAWS, noise_energy
from baselines.networks.normalisation import rms
from baselines.solvers.linearized_bregman import linearized_bregman
from baselines.transforms.framelets import Framelets
from bench.contract.method import Method
from bench.contract.operators import direct
from bench.contract.space import Float, Int, Range
from bench.contract.task import Track

# Levels of the frame, by the dimensions of an image. On two validation images each of denoising:mini, inpainting:mini
# and mri:mini the best of four levels is 0.6 to 1.3 dB above the best of two. In 3D four levels take much memory.
LEVELS = {2: 4, 3: 2}


class LinearizedBregman(Method):
    """``mu``: μ; ``iterations``, the most of them where ``stop`` is "discrepancy", or all where it is "iterations".

    ``order`` of the splines: 1 Haar, 2 piecewise linear, 4 cubic; ``levels`` of the frame. ``kick`` skips iterations
    that change nothing, of which large images have none.
    """

    def __init__(
        self,
        mu: float = 5.0,
        iterations: int = 200,
        stop: str = "discrepancy",
        order: int = 2,
        levels: int | None = None,
        kick: bool = False,
    ) -> None:
        super().__init__()
        self.mu = mu
        self.iterations = iterations
        self.stop = one_of("stop", stop, ("discrepancy", "iterations"))
        self.order = order
        self.levels = levels
        self.kick = kick

    @classmethod
    def space(cls, track: Track) -> Mapping[str, Range]:
        mu: dict[str, Range] = {"mu": Float(0.3, 100.0, log=True)}
        return mu if track.noise in LAWS else mu | {"iterations": Int(3, 1000, log=True)}

    @torch.no_grad()
    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        return self.solve(y, physics, lambda residual: None)

    @torch.no_grad()
    def convergence(self, y: Tensor, physics: LinearPhysics) -> list[float]:
        """½‖Ax − y‖²/‖A‖² after each iteration, its mean over the batch."""
        residuals: list[Tensor] = []
        self.solve(y, physics, residuals.append)
        return [float(residual) for residual in residuals]

    def solve(self, y: Tensor, physics: LinearPhysics, watch: Callable[[Tensor], None]) -> Tensor:
        """The image; ``watch`` is called with the mean residual, (), after each iteration."""
        x = direct(y, physics)
        W = Framelets(x, self.order, self.levels or LEVELS[x.ndim - 2])
        f = data_fit(physics, y, "gaussian").compose(W.adjoint, W.analysis)
        energy = noise_energy(y, getattr(physics, "noise_model", None)) if self.stop == "discrepancy" else None
        c = linearized_bregman(
            W.analysis(x).zero_(),
            f,
            self.mu * rms(x) * W.weights,
            1.0,
            self.iterations,
            lambda c: watch(f.value(c).mean()),
            enough=None if energy is None else 0.5 * energy / f.norm**2,
            kick=self.kick,
            channel_axis=2,
        )
        return W.adjoint(c)

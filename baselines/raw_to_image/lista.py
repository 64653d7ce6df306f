"""c_{k+1} = soft(c_k − E_k Aᵀ(A D_k c_k − y)/‖A‖², θ_k),   x_hat = D_K c_K

Learned ISTA: a few iterations of shrinkage-thresholding for min_c ½‖A D c − y‖²/‖A‖² + Σ θ|c|, whose matrices and
thresholds are learned in each iteration. As in its convolutional form, E_k x = (e_l * x)_l and D_k, the adjoint of
x ↦ (d_l * x)_l, are circular convolutions with filters of 3x3 pixels. Before training d_l and e_l are the l-th cosine
over 3, a tight frame, so that the untrained network is ISTA. c_0 is the frame of the direct reconstruction. The
constant cosine has no threshold before training.

Three things differ from the first paper: A stays inside of the iteration, so that one network serves any operator;
each iteration has filters and thresholds of its own, where all share theirs; and c_0 is not zero.

Images are in units of the direct reconstruction's root mean square, so that one recipe serves all units. Both parts
of a complex image go through the same filters.

K. Gregor, Y. LeCun, Learning fast approximations of sparse coding, ICML 2010.
H. Sreter, R. Giryes, Learned convolutional sparse coding, ICASSP 2018.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor, nn

from baselines.networks.cosine_filters import convolve, convolve_adjoint, cosines
from baselines.networks.normalisation import rms
from bench.contract.method import LearnedMethod
from bench.contract.operators import direct, operator_norm

THRESHOLD = 0.02  # θ before training, in units of the image's rms; set by hand


class Lista(LearnedMethod):
    """``iterations``: K. In 2D an iteration has 9 filters d, as many e, and 9 thresholds."""

    learning_rate: ClassVar[float] = 5e-3

    def __init__(self, dims: int = 2, iterations: int = 10) -> None:
        super().__init__()
        atoms = cosines(dims)
        frame = atoms.unsqueeze(1) / len(atoms) ** 0.5
        thresholds = torch.full((len(atoms), *[1] * dims), THRESHOLD)
        thresholds[0] = 0

        def copies(value: Tensor, count: int) -> nn.ParameterList:
            return nn.ParameterList(nn.Parameter(value.clone()) for _ in range(count))

        self.synthesis = copies(frame, iterations + 1)  # D_0 to D_K
        self.analysis = copies(frame, iterations)
        self.thresholds = copies(thresholds, iterations)
        self.frame: Tensor
        self.register_buffer("frame", frame, persistent=False)

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        x = direct(y, physics)
        unit, norm2 = rms(x), operator_norm(physics, y) ** 2
        A_adjoint_y = physics.A_adjoint(y) / (norm2 * unit)

        c = convolve((x / unit).flatten(0, 1).unsqueeze(1), self.frame)
        for D, E, threshold in zip(self.synthesis, self.analysis, self.thresholds, strict=False):
            image = convolve_adjoint(c, D).reshape(x.shape)
            gradient = physics.A_adjoint(physics.A(image)) / norm2 - A_adjoint_y
            c = shrink(c - convolve(gradient.flatten(0, 1).unsqueeze(1), E), threshold)
        return unit * convolve_adjoint(c, self.synthesis[-1]).reshape(x.shape)


def shrink(c: Tensor, threshold: Tensor) -> Tensor:
    """sign(c) max(|c| − θ, 0), h_θ of the first paper.

    Unlike a quotient by |c| it has the right gradient where c is almost zero, and for a θ that was learned negative.
    """
    return c.sign() * (c.abs() - threshold).clamp(min=0)

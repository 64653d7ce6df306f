"""x_{k+1} = argmin_x ‖Ax − y‖²/‖A‖² + λ ‖x − z_k‖²,   z_k = x_k + N(x_k),   x_hat = x_K

Model-based deep learning: a denoiser N and a data-consistency step in turn, K times with the same weights. λ > 0 is
learned. The data step is the linear system (AᵀA/‖A‖² + λ) x = Aᵀy/‖A‖² + λ z_k (`baselines.solvers.normal_equations`),
through whose solution the gradients go. x_0 is the direct reconstruction. N has five convolutions of 64 channels.

Four things differ from the paper: N starts at zero and has no batch normalisation; it sees normalised images
(`baselines.networks.normalisation`); all K iterations are trained at once from the start; and K is 5, not 10.

H. Aggarwal, M. Mani, M. Jacob, MoDL: model-based deep learning architecture for inverse problems, IEEE TMI 2019.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor, nn

from baselines.networks.convnet import convnet
from baselines.networks.normalisation import Normalisation
from baselines.solvers.normal_equations import NormalEquations
from bench.contract.method import LearnedMethod
from bench.contract.operators import direct

LAYERS = 5  # of N, as in the paper
PENALTY = 0.05  # λ before training, as in the code of the paper


class MoDL(LearnedMethod):
    """``iterations``: K; ``width``: channels of N. Volumes are folded."""

    learning_rate: ClassVar[float] = 2e-3

    def __init__(self, channels: int = 1, dims: int = 2, iterations: int = 5, width: int = 64) -> None:
        super().__init__()
        self.network = convnet(channels, channels, dims, width, LAYERS, folded=dims == 3)
        self.log_lambda = nn.Parameter(torch.tensor(PENALTY).log())
        self.iterations = iterations

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        x = direct(y, physics)
        normalisation, system = Normalisation(x), NormalEquations(y, physics)
        lam = self.log_lambda.exp()
        for _ in range(self.iterations):
            z = x + normalisation.undo(self.network(normalisation.normalise(x)))
            x = system.solve(system.A_adjoint_y + lam * z, lam, z)
        return x

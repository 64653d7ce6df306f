"""x_{k+1} = x_k − η_k Aᵀ(A x_k − y)/‖A‖² + N_k(x_k),   x_hat = x_K

Gradient descent on a variational model: each cascade takes a step of learned size η_k on the data term, and a U-Net N_k
of its own stands for the regulariser. x_0 is the direct (zero-filled) reconstruction. The networks see normalised
images (`baselines.networks.normalisation`).

Of the end-to-end network it has the U-Nets alone: it works on images and not on k-space, takes the coils' sensitivities
from the operator and does not estimate them, and has six small U-Nets on folded images, without instance normalisation,
where the paper has twelve larger ones. `foe_varnet` is the first variational network, with filters.

K. Hammernik et al., Learning a variational network for reconstruction of accelerated MRI data, MRM 2018.
A. Sriram et al., End-to-end variational networks for accelerated MRI reconstruction, MICCAI 2020 (the U-Nets).
"""

from __future__ import annotations

from typing import ClassVar

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor, nn

from baselines.networks.normalisation import Normalisation
from baselines.networks.unet import unet
from bench.contract.method import LearnedMethod
from bench.contract.operators import direct, operator_norm
from bench.contract.task import Track


class VarNet(LearnedMethod):
    """For MRI with one coil or several, complex or real. ``width``, ``levels``: of the U-Nets, on folded images."""

    learning_rate: ClassVar[float] = 4e-3

    def __init__(self, channels: int = 2, dims: int = 2, cascades: int = 6, width: int = 16, levels: int = 1) -> None:
        super().__init__()
        self.networks = nn.ModuleList(
            unet(channels, channels, dims, width, levels, folded=True) for _ in range(cascades)
        )
        self.steps = nn.Parameter(torch.ones(cascades))  # η; 1 restores the measured values, if A has orthonormal rows

    @classmethod
    def supports(cls, track: Track) -> str | None:
        return None if track.modality == "mri" else f"made for mri, not for {track.modality}"

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        norm = operator_norm(physics, y)
        x = direct(y, physics)
        normalisation = Normalisation(x)
        for network, step in zip(self.networks, self.steps, strict=True):
            data = physics.A_adjoint(physics.A(x) - y) / norm**2
            x = x - step * data + normalisation.undo(network(normalisation.normalise(x)))
        return x

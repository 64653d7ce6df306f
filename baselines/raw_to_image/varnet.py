"""x_{k+1} = x_k − η_k Aᵀ(A x_k − y)/‖A‖² + N_k(x_k),   x_hat = x_K

Gradient descent on a variational model: a step of learned size η_k on the data term, and a U-Net N_k of its own in every
cascade for the regulariser's. From the direct (zero-filled) reconstruction, in units of its root mean square; the smooth
phase of a complex image is removed around each network.

K. Hammernik et al., Learning a variational network for reconstruction of accelerated MRI data, MRM 2018.
A. Sriram et al., End-to-end variational networks for accelerated MRI reconstruction, MICCAI 2020 (the U-Nets).
"""

from __future__ import annotations

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor, nn

from baselines.networks import unet
from baselines.normalisation import rotate, scale, smooth_phase
from bench.method import LearnedMethod
from bench.operators import direct, operator_norm
from bench.task import Track


class VarNet(LearnedMethod):
    """For MRI, one coil or several, complex or real images."""

    def __init__(self, channels: int = 2, dims: int = 2, cascades: int = 4, width: int = 16, levels: int = 2) -> None:
        super().__init__()
        self.networks = nn.ModuleList(unet(channels, channels, dims, width, levels) for _ in range(cascades))
        self.steps = nn.Parameter(torch.ones(cascades))  # η; 1 is the largest that converges for sure

    @classmethod
    def supports(cls, track: Track) -> str | None:
        return None if track.modality == "mri" else f"for MRI, not {track.modality}"

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        norm = operator_norm(physics, y)
        x = direct(y, physics)
        s = scale(x)
        phase = smooth_phase(x) if x.shape[1] == 2 else None
        for network, step in zip(self.networks, self.steps, strict=True):
            residual = physics.A_adjoint(physics.A(x) - y)
            x = x - step / norm**2 * residual + s * regularise(network, x / s, phase)
        return x


def regularise(network: nn.Module, x: Tensor, phase: Tensor | None) -> Tensor:
    """``network(x)``, in the frame of the phase."""
    return network(x) if phase is None else rotate(network(rotate(x, phase.conj())), phase)

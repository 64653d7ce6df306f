"""x_{t+1} = x_t − Σ_i k̄_iᵗ * φ_iᵗ(k_iᵗ * x_t) − λᵗ Aᵀ(A x_t − y)/‖A‖²,   φ_i(z) = Σ_j w_ij exp(−(z − μ_j)²/(2γ²))

Trainable nonlinear reaction diffusion at the size of its paper: T = 5 steps of 24 filters of 5x5 pixels (10,445
parameters) or, with ``side=7``, 48 filters of 7x7 (26,645). A filter is a combination of the cosines but the constant,
of norm one, and k̄_i is k_i turned by half a turn. φ_i is a sum of 63 Gaussians at μ_j = −310, −300, ..., 310 grey
levels, γ = 10, interpolated from a table. Images continue mirrored at their edges.

Four things differ from the paper: the data term has any operator; a root mean square of 110 grey levels stands for the
unit of 8-bit photographs, so that one recipe serves all units; x_0 is the direct reconstruction; and Adam trains all
steps at once, where the paper uses L-BFGS and trains step after step before. Before training the filters are the
cosines and φ_i the influence function of smoothed total variation. Each channel is diffused by itself.
`baselines.data_driven.reaction_diffusion` is a smaller relative with finer functions near zero.

Y. Chen, T. Pock, Trainable nonlinear reaction diffusion: a flexible framework for fast and effective image restoration,
IEEE TPAMI 2017.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from deepinv.physics import LinearPhysics
from scipy.fft import dct
from torch import Tensor, nn
from torch.nn.functional import conv2d, normalize

from baselines.networks.normalisation import rms
from baselines.networks.piecewise_linear import piecewise_linear
from bench.contract.method import LearnedMethod
from bench.contract.operators import direct, operator_norm
from bench.contract.task import Track

REACH, SPACING = 310.0, 10.0  # of the Gaussians, in grey levels; their γ is the spacing
GREY = 110.0  # grey levels of the root mean square, about that of photographs; set by hand
EDGE = 10.0  # grey levels, κ of φ(z) = κ z/√(z² + κ²) before training; set by hand
REACTION = 0.2  # λ before training; set by hand


class TNRD(LearnedMethod):
    """``steps``: T; ``side``: of a filter, in pixels."""

    learning_rate: ClassVar[float] = 1e-2

    def __init__(self, steps: int = 5, side: int = 5) -> None:
        super().__init__()
        self.steps = nn.ModuleList(Step(side) for _ in range(steps))

    @classmethod
    def supports(cls, track: Track) -> str | None:
        return None if track.dims == 2 else "its filters are made for images, not for volumes"

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        norm2 = operator_norm(physics, y) ** 2
        x = direct(y, physics)
        unit = rms(x) / GREY
        for step in self.steps:
            assert isinstance(step, Step)
            data = physics.A_adjoint(physics.A(x) - y) / norm2
            flat = (x / unit).flatten(0, 1).unsqueeze(1)
            x = x - unit * step(flat).reshape(x.shape) - step.log_reaction.exp() * data
        return x


class Step(nn.Module):
    """Σ_i k̄_i * φ_i(k_i * x) of images (B, 1, H, W) in grey levels."""

    basis: Tensor
    gaussians: Tensor

    def __init__(self, side: int) -> None:
        super().__init__()
        line = dct(np.eye(side), axis=0, norm="ortho")
        basis = torch.from_numpy(np.kron(line, line)[1:]).float().reshape(-1, 1, side, side)
        centres = torch.arange(-REACH, REACH + SPACING, SPACING, dtype=torch.float64)
        knots = torch.linspace(-REACH, REACH, 4 * (len(centres) - 1) + 1, dtype=torch.float64)
        gaussians = torch.exp(-0.5 * ((knots - centres[:, None]) / SPACING) ** 2)
        phi = EDGE * knots / (knots**2 + EDGE**2).sqrt() / side**2  # the cosines' spectra sum to side², less one
        start = torch.linalg.lstsq(gaussians.T, phi[:, None]).solution[:, 0].float()
        self.register_buffer("basis", basis, persistent=False)
        self.register_buffer("gaussians", gaussians.float(), persistent=False)
        self.coefficients = nn.Parameter(torch.eye(len(basis)))
        self.weights = nn.Parameter(start.repeat(len(basis), 1))  # w
        self.log_reaction = nn.Parameter(torch.tensor(REACTION).log())

    def filters(self) -> Tensor:
        """k, (N, 1, side, side)."""
        return torch.einsum("nm,m...->n...", normalize(self.coefficients), self.basis)

    def influence(self, z: Tensor) -> Tensor:
        """φ of each channel; beyond the Gaussians it keeps its last value."""
        return piecewise_linear((z / REACH).clamp(-1, 1), self.weights @ self.gaussians)

    def forward(self, x: Tensor) -> Tensor:
        k = self.filters()
        margin = k.shape[-1] // 2
        z = self.influence(conv2d(mirrored(x, margin), k))
        return conv2d(mirrored(z, margin), k.flip((2, 3)).transpose(0, 1))


def mirrored(x: Tensor, margin: int) -> Tensor:
    """Images (B, C, H, W) with ``margin`` more pixels on each side, the edge pixel twice."""
    for axis in (2, 3):
        first, last = x.narrow(axis, 0, margin), x.narrow(axis, x.shape[axis] - margin, margin)
        x = torch.cat([first.flip(axis), x, last.flip(axis)], axis)
    return x

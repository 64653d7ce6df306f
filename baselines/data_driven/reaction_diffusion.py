"""x_{t+1} = x_t − Σ_i k̄_iᵗ * φ_iᵗ(k_iᵗ * x_t) − λᵗ Aᵀ(A x_t − y)/‖A‖²,   x_hat = x_T

Trainable nonlinear reaction diffusion: a few explicit steps of Perona and Malik's diffusion. Each step learns its own
filters k_i, influence functions φ_i and weight λ of the data. k̄_i is the adjoint of k_i on images mirrored at their
edges. k_i has norm one and lies in the span of all cosines except the constant. φ_i is a sum of Gaussians
(`baselines.networks.rbf_activation`).

x_0 is the direct reconstruction. The diffusion sees normalised images (`baselines.networks.normalisation`), and filters
see all channels at once. Before training k_i are the cosines and φ_i the influence functions of total variation, so the
untrained steps already smooth. Adam trains all steps at once, where the paper uses L-BFGS and trains step after step.

Y. Chen, T. Pock, Trainable nonlinear reaction diffusion: a flexible framework for fast and effective image restoration,
IEEE TPAMI 2017.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import ClassVar

import numpy as np
import torch
from deepinv.physics import LinearPhysics
from scipy.fft import dct
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv3d, conv_transpose2d, conv_transpose3d, normalize

from baselines.networks.normalisation import Normalisation
from baselines.networks.rbf_activation import fit, influence
from bench.contract.method import LearnedMethod
from bench.contract.operators import direct, operator_norm

SIDE = {2: 5, 3: 3}  # of a filter, by dimensions, as in the paper in 2D: 24 and 26 filters for each channel
CORRELATE = {2: conv2d, 3: conv3d}
SPREAD = {2: conv_transpose2d, 3: conv_transpose3d}
EDGE = 0.1  # κ of φ(z) = κ z/√(z² + κ²) before training, over the image's rms; set by hand
REACTION = 0.2  # λ before training; set by hand


class ReactionDiffusion(LearnedMethod):
    """``steps``: T, as in the paper. A step has 1369 parameters for one channel in 2D."""

    learning_rate: ClassVar[float] = 1e-2

    def __init__(self, channels: int = 1, dims: int = 2, steps: int = 5) -> None:
        super().__init__()
        self.steps = nn.ModuleList(Diffusion(channels, dims) for _ in range(steps))
        self.log_reaction = nn.Parameter(torch.full((steps,), REACTION).log())  # log λ: as in the paper, λ > 0

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        norm = operator_norm(physics, y)
        x = direct(y, physics)
        normalisation = Normalisation(x)
        for diffusion, reaction in zip(self.steps, self.log_reaction.exp(), strict=True):
            data = physics.A_adjoint(physics.A(x) - y) / norm**2
            x = x - normalisation.undo(diffusion(normalisation.normalise(x))) - reaction * data
        return x

    @torch.no_grad()
    def atoms(self, y: Tensor, physics: LinearPhysics) -> Mapping[str, Tensor]:
        """The filters of the first and the last step, each channel or slice by itself, (N, h, w)."""
        steps = [step for step in self.steps if isinstance(step, Diffusion)]
        return {name: steps[i].filters().flatten(0, -3) for name, i in (("first step", 0), ("last step", -1))}


class Diffusion(nn.Module):
    """Σ_i k̄_i * φ_i(k_i * x) of images (B, C, ...), where φ_i is divided by the number of pixels of a filter."""

    basis: Tensor

    def __init__(self, channels: int, dims: int) -> None:
        super().__init__()
        self.dims = dims
        self.register_buffer("basis", cosines(channels, dims), persistent=False)
        self.coefficients = nn.Parameter(torch.eye(len(self.basis)))  # of k, in the basis
        self.weights = nn.Parameter(fit(lambda z: EDGE * z / (z**2 + EDGE**2).sqrt()).repeat(len(self.basis), 1))

    def filters(self) -> Tensor:
        """The filters k_i, (N, C, h, w), of norm one."""
        return torch.tensordot(normalize(self.coefficients), self.basis, 1)

    def forward(self, x: Tensor) -> Tensor:
        filters, margin = self.filters(), SIDE[self.dims] // 2
        response = CORRELATE[self.dims](mirror(x, margin), filters)
        flux = influence(response, self.weights) / SIDE[self.dims] ** self.dims
        return mirror_adjoint(SPREAD[self.dims](flux, filters), margin)


def cosines(channels: int, dims: int) -> Tensor:
    """An orthonormal basis (N, C, ...) of all filters of a single channel that are zero on constants."""
    line = torch.from_numpy(dct(np.eye(SIDE[dims]), axis=0, norm="ortho")).float()
    basis = torch.kron(torch.eye(channels), reduce(torch.kron, [line] * dims)[1:])
    return basis.unflatten(1, (channels, *[SIDE[dims]] * dims))


def mirror(x: Tensor, margin: int) -> Tensor:
    """Images (B, C, ...) with ``margin`` more pixels on each side, mirrored at the edge."""
    for axis in range(2, x.ndim):
        near, far = x.narrow(axis, 0, margin), x.narrow(axis, x.shape[axis] - margin, margin)
        x = torch.cat([near.flip(axis), x, far.flip(axis)], axis)
    return x


def mirror_adjoint(x: Tensor, margin: int) -> Tensor:
    """The adjoint of `mirror`: the margins fold back."""
    for axis in range(2, x.ndim):
        near, inner, far = x.split([margin, x.shape[axis] - 2 * margin, margin], axis)
        x = inner.clone()
        x.narrow(axis, 0, margin).add_(near.flip(axis))
        x.narrow(axis, x.shape[axis] - margin, margin).add_(far.flip(axis))
    return x

"""x_{t+1} = x_t − Σ_i K_iᵗᵀ φ_iᵗ(K_iᵗ x_t) − λᵗ Aᵀ(A x_t − y)/‖A‖²,   φ_i(z) = Σ_j w_ij exp(−(z − μ_j)²/(2γ²))

The first variational network: T = 10 steps of gradient descent on a fields-of-experts model, each with 48 filters K_i
of 11x11 pixels of its own. A filter takes the real and the imaginary part together, sums to zero over each of them, and
has norm one. Images continue mirrored at their edges, and K_iᵀ is the adjoint on the continued image, as in the
authors' code. φ_i is a sum of 31 Gaussians at μ_j = −150, −140, ..., 150, γ = 10, interpolated from a table. That makes
131,050 parameters for complex images, as in the paper.

Five things differ from the paper: the data term has any operator, of several coils or of none; a root mean square of 50
stands for its images of values up to 255, so that one recipe serves all units; the loss is that of the complex image,
not of its magnitude; Adam trains in place of an inertial proximal gradient; and φ_i begins as a line of small slope.
Before training a step is one of gradient descent on the data and on a weak smoothness term of random filters.
`varnet` has U-Nets in the place of the filters.

K. Hammernik, T. Klatzer, E. Kobler, M. Recht, D. Sodickson, T. Pock, F. Knoll, Learning a variational network for
reconstruction of accelerated MRI data, MRM 79(6), 2018.
S. Roth, M. Black, Fields of experts, IJCV 2009 (the model).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d

from baselines.networks.normalisation import rms
from baselines.networks.piecewise_linear import piecewise_linear
from baselines.raw_to_image.tnrd import mirrored
from bench.contract.method import LearnedMethod
from bench.contract.operators import direct, operator_norm
from bench.contract.task import Track

SIDE, FILTERS = 11, 48  # pixels along a filter, and filters of a step
REACH, SPACING = 150.0, 10.0  # of the Gaussians; their γ is the spacing
GREY = 50.0  # the root mean square of an image, in the unit of the Gaussians; set by hand
SLOPE = 0.1  # of the smoothness term before training, over the number of filters; set by hand
STEP = 1.0  # λ before training; restores the measured values, if A has orthonormal rows


class FoEVarNet(LearnedMethod):
    """For images of any operator, real or complex. ``steps``: T."""

    learning_rate: ClassVar[float] = 3e-3

    def __init__(self, channels: int = 2, steps: int = 10) -> None:
        super().__init__()
        self.steps = nn.ModuleList(FieldsOfExperts(channels) for _ in range(steps))

    @classmethod
    def supports(cls, track: Track) -> str | None:
        return None if track.dims == 2 else "its filters are made for images, not for volumes"

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        norm2 = operator_norm(physics, y) ** 2
        x = direct(y, physics)
        unit = rms(x) / GREY
        for step in self.steps:
            assert isinstance(step, FieldsOfExperts)
            data = physics.A_adjoint(physics.A(x) - y) / norm2
            x = x - unit * step(x / unit) - step.data * data
        return x

    @torch.no_grad()
    def atoms(self, y: Tensor, physics: LinearPhysics) -> Mapping[str, Tensor]:
        """The filters of the first and the last step, each channel by itself, (N, h, w)."""
        steps = [step for step in self.steps if isinstance(step, FieldsOfExperts)]
        return {name: steps[i].filters().flatten(0, 1) for name, i in (("first step", 0), ("last step", -1))}


class FieldsOfExperts(nn.Module):
    """Σ_i K_iᵀ φ_i(K_i x) of images (B, C, H, W), and the weight λ of the data."""

    gaussians: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        centres = torch.arange(-REACH, REACH + SPACING, SPACING, dtype=torch.float64)
        knots = torch.linspace(-REACH, REACH, 4 * (len(centres) - 1) + 1, dtype=torch.float64)
        gaussians = torch.exp(-0.5 * ((knots - centres[:, None]) / SPACING) ** 2)
        start = torch.linalg.lstsq(gaussians.T, SLOPE / FILTERS * knots[:, None]).solution[:, 0].float()
        self.register_buffer("gaussians", gaussians.float(), persistent=False)
        self.kernels = nn.Parameter(torch.randn(FILTERS, channels, SIDE, SIDE) / SIDE)
        self.weights = nn.Parameter(start.repeat(FILTERS, 1))  # w
        self.data = nn.Parameter(torch.tensor(STEP))  # λ

    def filters(self) -> Tensor:
        """K, (N, C, h, w): without mean in each channel, of norm one."""
        centred = self.kernels - self.kernels.mean((2, 3), keepdim=True)
        return centred / centred.square().sum((1, 2, 3), keepdim=True).sqrt()

    def influence(self, z: Tensor) -> Tensor:
        """φ of each channel; beyond the Gaussians it keeps its last value."""
        return piecewise_linear((z / REACH).clamp(-1, 1), self.weights @ self.gaussians)

    def forward(self, x: Tensor) -> Tensor:
        filters, margin = self.filters(), SIDE - 1  # of both convolutions
        response = conv2d(mirrored(x, margin), filters)
        return conv_transpose2d(self.influence(response), filters, padding=margin)

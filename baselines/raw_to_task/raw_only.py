"""f = N(Aᵀ Γ(y)):   from the measurement to the finding, with no image in between

Γ is a network in the measurement's space. It turns y into several filtered measurements, which the adjoint carries to
the grid of the finding. The analysis network N reads them as features: no loss asks that they resemble an image.

Y. Gao, J. Tan, Z. Liang, L. Li, Y. Huo, Improved computer-aided detection of pulmonary nodules via deep learning in the
sinogram domain, Visual Computing for Industry, Biomedicine, and Art 2, 2019 (detection from the raw data).
"""

from __future__ import annotations

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor

from baselines.networks.analysis import Analysis, Reader
from baselines.networks.convnet import convnet
from baselines.networks.normalisation import rms
from bench.contract.method import Estimate
from bench.contract.operators import operator_norm

FEATURES = 4  # filtered measurements
WIDTH, LAYERS = 32, 4  # of Γ


class RawOnly(Reader):
    """Further axes of y, such as coils, pass through Γ like a batch."""

    def __init__(self, channels: int = 1, classes: int = 1, dims: int = 2, measured_channels: int = 1) -> None:
        super().__init__()
        self.dims, self.measured_channels = dims, measured_channels
        self.filters = convnet(measured_channels, FEATURES * measured_channels, dims, WIDTH, LAYERS)
        self.analysis = Analysis(FEATURES * channels, classes, dims)

    def forward(self, y: Tensor, physics: LinearPhysics) -> Estimate:
        z = y / rms(y)
        extra = z.shape[2 : z.ndim - self.dims]
        flat = z.movedim(1, -self.dims - 1).flatten(0, -self.dims - 2)  # further axes of y into the batch
        features = flat.repeat(1, FEATURES, *[1] * self.dims) + self.filters(flat)
        features = features.reshape(-1, *extra, *features.shape[1:]).movedim(-self.dims - 1, 1)
        norm = operator_norm(physics, y)
        carried = [physics.A_adjoint(part) / norm for part in features.split(self.measured_channels, 1)]
        return Estimate(finding=self.analysis(torch.cat(carried, 1)))

"""h ← h + θ_k (A f⁽²⁾ − y − h) + Γ_k(h, A f⁽²⁾, y),   f ← f − τ_k Aᵀ h⁽¹⁾ + Λ_k(f, Aᵀ h⁽¹⁾),   x_hat = f⁽¹⁾

A primal-dual iteration whose proximal maps are networks: Γ_k acts in the space of the measurement, Λ_k in the space of
the image, and each iteration k has its own. f and h hold several images as memory; f⁽¹⁾ is the first and f⁽²⁾ the last.

This is no copy of the paper's network: much differs, for the sake of short training. f starts at the direct
reconstruction. The classical step on the data term, of learned size, stands beside each network, which starts at zero.
Networks work on images and measurements that are folded, 2x2 pixels to four channels (`baselines.networks.folding`), by
ReLU in place of PReLU. There are 5 iterations and a memory of 4 images, where the paper has 10 and 5. All is in units
of ‖A‖ and of the direct reconstruction's root mean square; Λ_k sees images without their smooth phase.

J. Adler, O. Öktem, Learned primal-dual reconstruction, IEEE TMI 2018.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor, nn

from baselines.networks.convnet import convnet
from baselines.networks.normalisation import Normalisation
from bench.contract.method import LearnedMethod
from bench.contract.operators import direct, operator_norm

LAYERS = 3  # of each network, as in the paper


class LearnedPrimalDual(LearnedMethod):
    """For any linear operator. Further axes of y, such as coils, pass through Γ_k like a batch.

    ``memory``: number of images in f, and of measurements in h. ``width``: channels of the hidden layers.
    """

    learning_rate: ClassVar[float] = 4e-3

    def __init__(
        self,
        channels: int = 1,
        dims: int = 2,
        measured_channels: int = 1,
        iterations: int = 5,
        memory: int = 4,
        width: int = 32,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.measured_channels = measured_channels
        self.dims = dims
        self.copies = (1, memory, *[1] * dims)
        f, g, h = memory * channels, self.measured_channels, memory * self.measured_channels

        def networks(inputs: int, outputs: int) -> nn.ModuleList:
            return nn.ModuleList(convnet(inputs, outputs, dims, width, LAYERS, folded=True) for _ in range(iterations))

        self.dual = networks(h + 2 * g, h)
        self.primal = networks(f + channels, f)
        self.theta = nn.Parameter(torch.full((iterations,), 0.5))  # σ/(1 + σ) for σ = τ = 1
        self.tau = nn.Parameter(torch.ones(iterations))

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        norm = operator_norm(physics, y)
        d = direct(y, physics)
        normalisation = Normalisation(d)
        extra = y.shape[2 : y.ndim - self.dims]
        g = self.merge(y / (norm * normalisation.scale.reshape(-1, *[1] * (y.ndim - 1))))
        f = normalisation.normalise(d).repeat(self.copies)
        h = torch.zeros_like(g).repeat(self.copies)
        for dual, primal, theta, tau in zip(self.dual, self.primal, self.theta, self.tau, strict=True):
            Af = self.merge(physics.A(normalisation.add_phase(f[:, -self.channels :])) / norm)
            h = h + theta * ((Af - g).repeat(self.copies) - h) + dual(torch.cat([h, Af, g], 1))
            Ah = normalisation.remove_phase(physics.A_adjoint(self.split(h[:, : self.measured_channels], extra)) / norm)
            f = f - tau * Ah.repeat(self.copies) + primal(torch.cat([f, Ah], 1))
        return normalisation.undo(f[:, : self.channels])

    def merge(self, y: Tensor) -> Tensor:
        """Further axes N of y into the batch: (B, C, N, ...) to (B N, C, ...)."""
        return y.movedim(1, -self.dims - 1).flatten(0, -self.dims - 2)

    def split(self, h: Tensor, extra: torch.Size) -> Tensor:
        """The inverse of `merge`."""
        return h.reshape(-1, *extra, *h.shape[1:]).movedim(-self.dims - 1, 1)

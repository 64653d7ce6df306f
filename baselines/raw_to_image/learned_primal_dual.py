"""h_{k+1} = h_k + Γ_k(h_k, A f_k⁽²⁾, y),   f_{k+1} = f_k + Λ_k(f_k, Aᵀ h_{k+1}⁽¹⁾),   x_hat = f_K⁽¹⁾

The primal-dual iteration of TV with its two proximal maps replaced by networks: Γ_k in the measurement space, Λ_k in the image
space, others in every iteration. f and h hold several images each as memory; f⁽¹⁾ is the first of them. h starts
at zero and, other than in the paper, f at the direct reconstruction, which saves the first iterations. A has norm one and the
image a root mean square of one.

J. Adler, O. Öktem, Learned primal-dual reconstruction, IEEE TMI 2018.
"""

from __future__ import annotations

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor, nn

from baselines.networks import convnet
from baselines.normalisation import scale
from bench.method import LearnedMethod
from bench.operators import direct, operator_norm


class LearnedPrimalDual(LearnedMethod):
    """For any linear operator. Axes of y beyond those of the image, such as coils, pass through Γ like a batch.

    ``measured_channels``: channels of y, by default those of the image. ``memory``: images that f and h hold, each.
    """

    def __init__(
        self,
        channels: int = 1,
        dims: int = 2,
        measured_channels: int | None = None,
        iterations: int = 5,
        memory: int = 4,
        width: int = 32,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.dims = dims
        self.measured_channels = measured_channels or channels
        self.memory = memory
        f, h = memory * channels, memory * self.measured_channels
        self.dual = nn.ModuleList(
            convnet(h + 2 * self.measured_channels, h, dims, width, layers=3) for _ in range(iterations)
        )
        self.primal = nn.ModuleList(convnet(f + channels, f, dims, width, layers=3) for _ in range(iterations))

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        norm = operator_norm(physics, y)
        d = direct(y, physics)
        s = scale(d)
        extra = y.shape[2 : y.ndim - self.dims]
        g = self.merge(y / (norm * s.reshape(-1, *[1] * (y.ndim - 1))))
        f = (d / s).repeat(1, self.memory, *[1] * self.dims)
        h = torch.zeros_like(g).repeat(1, self.memory, *[1] * self.dims)
        for dual, primal in zip(self.dual, self.primal, strict=True):
            second = f[:, -self.channels :]
            h = h + dual(torch.cat([h, self.merge(physics.A(second) / norm), g], 1))
            first = self.split(h[:, : self.measured_channels], extra)
            f = f + primal(torch.cat([f, physics.A_adjoint(first) / norm], 1))
        return s * f[:, : self.channels]

    def merge(self, y: Tensor) -> Tensor:
        """Extra axes into the batch: (B, C, N, ...) to (B N, C, ...)."""
        return y.movedim(1, -self.dims - 1).flatten(0, -self.dims - 2)

    def split(self, h: Tensor, extra: torch.Size) -> Tensor:
        """The inverse of `merge`."""
        return h.reshape(-1, *extra, *h.shape[1:]).movedim(-self.dims - 1, 1)

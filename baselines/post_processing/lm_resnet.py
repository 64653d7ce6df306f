"""x_hat = d + O u_N,   u_{n+1} = (1 − γ_n) u_n + γ_n u_{n−1} + F_n(u_n),   d = D(y) the direct reconstruction

A residual network as a linear two-step method for u̇ = F(u), whose γ_n are learned: γ = 0 is the residual network of
`baselines.post_processing.resnet`, with the same F_n, I and O. The first block has no u before its own, and no γ.

γ starts at zero, where the paper draws it from [−0.1, 0], so that the untrained network is an untrained ResNet. As in
that one there is no batch normalisation, the last layer starts at zero, and d is normalised.

Y. Lu, A. Zhong, Q. Li, B. Dong, Beyond finite layer neural networks: bridging deep architectures and numerical
differential equations, ICML 2018.
"""

from __future__ import annotations

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor, nn

from baselines.networks.correction import corrected
from baselines.networks.network import Network
from baselines.post_processing.resnet import Branch
from bench.contract.method import LearnedMethod
from bench.contract.operators import direct


class LMResNet(LearnedMethod):
    """``blocks``: N; ``width``: channels of the features."""

    def __init__(self, channels: int = 1, dims: int = 2, blocks: int = 8, width: int = 32) -> None:
        super().__init__()
        self.network = Network(channels, channels, dims, width, MultiStep(dims, width, blocks), 0, folded=dims == 3)

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        return corrected(direct(y, physics), self.network)


class MultiStep(nn.Module):
    """u_N from u_0."""

    def __init__(self, dims: int, width: int, blocks: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(Branch(dims, width) for _ in range(blocks))
        self.gamma = nn.Parameter(torch.zeros(blocks - 1))

    def forward(self, u: Tensor) -> Tensor:
        first, *others = self.branches
        before, u = u, u + first(u)
        for branch, gamma in zip(others, self.gamma, strict=True):
            before, u = u, (1 - gamma) * u + gamma * before + branch(u)
        return u

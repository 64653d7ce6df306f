"""x_hat = d + O u_N,   u_0 = ReLU(I d),   u_{n+1} = u_n + F_n(u_n),   d = D(y) the direct reconstruction

A residual network without a change of resolution, one step of Euler's method for u̇ = F(u) after another. Each F_n is
two convolutions, each after a ReLU; I and O are convolutions to the features and back. Two other blocks are at
choice: ``block="poly"`` is PolyNet's second order, u + F(u) + F(F(u)), near the backward Euler method; ``block="rev"``
is RevNet's, whose halves v, w of the features change in turn, v ← v + F(w), w ← w + G(v), so that it can be inverted.

Two things differ from the papers: there is no batch normalisation, and the last layer starts at zero, so that the
untrained network is the direct reconstruction. d is normalised, so that one recipe serves all units, and volumes are
folded.

K. He, X. Zhang, S. Ren, J. Sun, Identity mappings in deep residual networks, ECCV 2016.
X. Zhang, Z. Li, C. Loy, D. Lin, PolyNet: a pursuit of structural diversity in very deep networks, CVPR 2017.
A. Gomez, M. Ren, R. Urtasun, R. Grosse, The reversible residual network, NIPS 2017.
"""

from __future__ import annotations

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor, nn

from baselines.networks.correction import corrected
from baselines.networks.network import CONV, Network
from bench.contract.method import LearnedMethod
from bench.contract.operators import direct
from bench.errors import BenchError


class ResNet(LearnedMethod):
    """``blocks``: N; ``width``: channels of the features; ``block``: residual, poly or rev."""

    def __init__(
        self, channels: int = 1, dims: int = 2, blocks: int = 8, width: int = 32, block: str = "residual"
    ) -> None:
        super().__init__()
        kinds: dict[str, type[nn.Module]] = {"residual": Residual, "poly": Poly, "rev": Rev}
        if block not in kinds:
            raise BenchError(f"block={block} is none of {', '.join(kinds)}.")
        hidden = nn.Sequential(*(kinds[block](dims, width) for _ in range(blocks)))
        self.network = Network(channels, channels, dims, width, hidden, 0, folded=dims == 3)

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        return corrected(direct(y, physics), self.network)


class Branch(nn.Sequential):
    """F: two convolutions, each after a ReLU."""

    def __init__(self, dims: int, width: int) -> None:
        conv = CONV[dims]
        super().__init__(nn.ReLU(), conv(width, width, 3, padding=1), nn.ReLU(), conv(width, width, 3, padding=1))


class Residual(nn.Module):
    """u + F(u)."""

    def __init__(self, dims: int, width: int) -> None:
        super().__init__()
        self.branch = Branch(dims, width)

    def forward(self, u: Tensor) -> Tensor:
        return u + self.branch(u)


class Poly(Residual):
    """u + F(u) + F(F(u))."""

    def forward(self, u: Tensor) -> Tensor:
        first = self.branch(u)
        return u + first + self.branch(first)


class Rev(nn.Module):
    """v + F(w) and w + G(v + F(w)), of the halves v, w of the features."""

    def __init__(self, dims: int, width: int) -> None:
        super().__init__()
        self.first, self.second = Branch(dims, width // 2), Branch(dims, width // 2)

    def forward(self, u: Tensor) -> Tensor:
        v, w = u.chunk(2, 1)
        v = v + self.first(w)
        return torch.cat([v, w + self.second(v)], 1)

    def inverse(self, u: Tensor) -> Tensor:
        """The features before the block."""
        v, w = u.chunk(2, 1)
        w = w - self.second(v)
        return torch.cat([v - self.first(w), w], 1)

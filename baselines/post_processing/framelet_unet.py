"""x_hat = d + N(d),   u = Wᵀ(N'(W_L u), W_H u),   Wᵀ W = 1,   d = D(y) the direct reconstruction

A U-Net whose halvings are the Haar transform: the low band W_L goes to the coarser level N', and the three high bands
W_H pass to the other side, where the inverse transform restores the resolution. With N' = 1 a level restores its image
perfectly, which the maxima and the interpolation of a U-Net can't: what they lose, streaks and blur of fine detail,
its filters have to make up. Convolutions stand on either side of each level, as in `baselines.networks.unet`; the ones
behind Wᵀ see its result beside the features from before W.

Five things differ from the paper: there is no batch normalisation, and one convolution in place of two at each side;
1x1 convolutions change the number of channels between levels; the last layer starts at zero; and d is normalised
(`baselines.networks.correction`). Volumes have seven high bands, and are folded instead of a finest level.

Y. Han, J. C. Ye, Framing U-Net via deep convolutional framelets: application to sparse-view CT, IEEE TMI 2018.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor, nn

from baselines.networks.correction import corrected
from baselines.networks.folding import fold, unfold
from baselines.networks.network import CONV, Network
from bench.contract.method import LearnedMethod
from bench.contract.operators import direct


class FrameletUNet(LearnedMethod):
    """``width`` channels, doubled at each of ``levels`` halvings."""

    learning_rate: ClassVar[float] = 4e-3

    def __init__(self, channels: int = 1, dims: int = 2, width: int = 16, levels: int = 3) -> None:
        super().__init__()
        fold = dims == 3
        level = Level(dims, (1 + fold) * width, levels - fold)
        self.network = Network(channels, channels, dims, (1 + fold) * width, level, levels - fold, folded=fold)

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        return corrected(direct(y, physics), self.network)


class Level(nn.Module):
    """One resolution, and the coarser ones."""

    def __init__(self, dims: int, width: int, below: int) -> None:
        super().__init__()
        conv = CONV[dims]
        self.descend = nn.Sequential(conv(width, width, 3, padding=1), nn.ReLU())
        self.coarser: nn.Module | None = None
        if below:
            self.coarser = nn.Sequential(
                conv(width, 2 * width, 1), Level(dims, 2 * width, below - 1), conv(2 * width, width, 1)
            )
        self.ascend = nn.Sequential(conv((2 if below else 1) * width, width, 3, padding=1), nn.ReLU())

    def forward(self, u: Tensor) -> Tensor:
        u = self.descend(u)
        if self.coarser is not None:
            low, high = haar(u)
            u = torch.cat([u, haar_inverse(self.coarser(low), high)], 1)
        return self.ascend(u)


def haar(u: Tensor) -> tuple[Tensor, Tensor]:
    """The low band (B, C, H/2, W/2) of features (B, C, H, W), and the high bands (B, C, 3, H/2, W/2); 7 in 3D."""
    blocks = fold(u).unflatten(1, (u.shape[1], -1))
    bands = torch.einsum("ij,bcj...->bci...", hadamard(u), blocks)
    return bands[:, :, 0], bands[:, :, 1:]


def haar_inverse(low: Tensor, high: Tensor) -> Tensor:
    """The inverse of `haar`."""
    bands = torch.cat([low.unsqueeze(2), high], 2)
    return unfold(torch.einsum("ji,bcj...->bci...", hadamard(low), bands).flatten(1, 2))


def hadamard(u: Tensor) -> Tensor:
    """The orthonormal Haar transform of a block of 2x2 (2x2x2) pixels, (4, 4) or (8, 8)."""
    line = u.new_tensor([[1.0, 1.0], [1.0, -1.0]]) / 2**0.5
    matrix = u.new_ones(1, 1)
    for _ in range(u.ndim - 2):
        matrix = torch.kron(matrix, line)
    return matrix

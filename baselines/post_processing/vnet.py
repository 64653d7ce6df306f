"""x_hat = d + N(d),   N a V-Net of stages u ↦ PReLU(u + F(u)),   d = D(y) the direct reconstruction

An encoder-decoder for volumes, each of whose stages learns a residual: F has one, two, three, three and three
convolutions of 5x5x5 voxels on the way down, and three, three, two and one on the way up, with PReLU units between
them. Convolutions of 2x2x2 voxels halve the resolution and double the features, their transposes restore it, and the
features of each stage on the way down are joined to the ones on the way up. The default has half of the paper's
features. In QSM, N removes from a direct inversion of the dipole kernel what its zeros have made of the noise.

Four things differ from the paper, which labels voxels by a softmax. The last layer, a convolution of one voxel, gives
the correction of the image, and starts at zero, so that the untrained network is d. d is normalised. Volumes are
folded, blocks of 2x2x2 voxels to channels, and have one halving less, for a memory and a time eight times smaller;
``folded=false`` leaves them as in the paper. Images of two dimensions have filters of 5x5 pixels and are not folded.

F. Milletari, N. Navab, S.-A. Ahmadi, V-Net: fully convolutional neural networks for volumetric medical image
segmentation, 3DV 2016.
"""

from __future__ import annotations

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor, nn

from baselines.networks.correction import corrected
from baselines.networks.folding import extend, fold, unfold
from baselines.networks.network import CONV
from baselines.networks.unet import CONV_TRANSPOSE
from bench.contract.method import LearnedMethod
from bench.contract.operators import direct
from bench.errors import BenchError

SIDE = 5  # of a filter
CONVOLUTIONS = (1, 2, 3, 3, 3)  # of a stage, the finest first; of the way up too


class VNet(LearnedMethod):
    """``width``: features of the finest stage, 16 in the paper; ``levels``: halvings, with the one by folding."""

    def __init__(self, channels: int = 1, dims: int = 2, width: int = 8, levels: int = 4, folded: bool = True) -> None:
        super().__init__()
        self.folded = folded and dims == 3
        halvings = levels - self.folded
        if not 0 <= halvings < len(CONVOLUTIONS):
            raise BenchError(
                f"levels={levels} is not among {self.folded:d}, ..., {len(CONVOLUTIONS) - 1 + self.folded}."
            )
        inputs = channels * 2**dims if self.folded else channels
        self.multiple = 2**levels
        self.first = Stage(dims, width, CONVOLUTIONS[0], inputs)
        self.levels = Level(dims, width, halvings, CONVOLUTIONS) if halvings else None
        self.last = CONV[dims]((2 if halvings else 1) * width, inputs, 1)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        return corrected(direct(y, physics), self.network)

    def network(self, z: Tensor) -> Tensor:
        whole = extend(z, self.multiple)
        u = self.first(fold(whole) if self.folded else whole)
        u = self.last(self.levels(u) if self.levels is not None else u)
        u = unfold(u) if self.folded else u
        for axis in range(2, z.ndim):
            u = u.narrow(axis, 0, z.shape[axis])
        return u


class Stage(nn.Module):
    """PReLU(u + F(u)); of less channels than ``width``, u is added to F(u) in turn, as often as it fits."""

    def __init__(self, dims: int, width: int, convolutions: int, inputs: int | None = None) -> None:
        super().__init__()
        self.branch = nn.Sequential()
        for number in range(convolutions):
            if number:
                self.branch.append(nn.PReLU(width))
            self.branch.append(CONV[dims](width if number else inputs or width, width, SIDE, padding=SIDE // 2))
        self.unit = nn.PReLU(width)

    def forward(self, u: Tensor) -> Tensor:
        v = self.branch(u)
        copies = -(-v.shape[1] // u.shape[1])
        return self.unit(v + u.repeat(1, copies, *[1] * (u.ndim - 2))[:, : v.shape[1]])


class Level(nn.Module):
    """From the features of a stage, of ``width``, through all coarser ones and up again: twice the features."""

    def __init__(self, dims: int, width: int, halvings: int, convolutions: tuple[int, ...]) -> None:
        super().__init__()
        self.down = nn.Sequential(CONV[dims](width, 2 * width, 2, stride=2), nn.PReLU(2 * width))
        self.coarser = nn.Sequential(Stage(dims, 2 * width, convolutions[1]))
        if halvings > 1:
            self.coarser.append(Level(dims, 2 * width, halvings - 1, convolutions[1:]))
        coarse = (4 if halvings > 1 else 2) * width
        self.up = nn.Sequential(CONV_TRANSPOSE[dims](coarse, width, 2, stride=2), nn.PReLU(width))
        self.joined = Stage(dims, 2 * width, convolutions[0])

    def forward(self, u: Tensor) -> Tensor:
        return self.joined(torch.cat([self.up(self.coarser(self.down(u))), u], 1))

"""x_hat = d + N(d),   N = decoder ∘ encoder,   the decoder's maxima at the encoder's places

An encoder-decoder without skip connections: the encoder halves the image by the maxima of 2x2 pixels, and the decoder
puts values back to the places from which the maxima came, zeros elsewhere, before it convolves. Only these places pass
from the one to the other, so that fine detail must go through the coarsest level. Each level has a convolution, batch
normalisation and ReLU on either side; the channels double with each halving.

The paper labels pixels by a softmax; here the last layer is a convolution to the image, which starts at zero, and N
improves the direct reconstruction d = D(y), which it sees normalised (`baselines.networks.correction`). It has three
levels of one convolution a side, where the paper has the five of VGG16 with two or three.

V. Badrinarayanan, A. Kendall, R. Cipolla, SegNet: a deep convolutional encoder-decoder architecture for image
segmentation, IEEE TPAMI 2017.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor, nn

from baselines.networks.correction import corrected
from baselines.networks.folding import extend, fold, unfold
from baselines.networks.network import CONV
from bench.contract.method import LearnedMethod
from bench.contract.operators import direct

NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


class SegNet(LearnedMethod):
    """``width``: channels at the finest level; ``levels``: halvings."""

    learning_rate: ClassVar[float] = 4e-3

    def __init__(self, channels: int = 1, dims: int = 2, width: int = 16, levels: int = 3) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(levels)]
        self.encoder = nn.ModuleList(layer(dims, a, b) for a, b in zip([channels, *widths], widths, strict=False))
        self.decoder = nn.ModuleList(layer(dims, b, a) for a, b in zip([width, *widths], widths, strict=False))
        self.last = CONV[dims](width, channels, 3, padding=1)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        return corrected(direct(y, physics), self.network)

    def network(self, z: Tensor) -> Tensor:
        u, places = extend(z, 2 ** len(self.encoder)), []
        for convolution in self.encoder:
            u, place = pool(convolution(u))
            places.append(place)
        for convolution in reversed(self.decoder):
            u = convolution(unpool(u, places.pop()))
        u = self.last(u)
        for axis in range(2, z.ndim):
            u = u.narrow(axis, 0, z.shape[axis])
        return u


def layer(dims: int, inputs: int, outputs: int) -> nn.Sequential:
    convolution = CONV[dims](inputs, outputs, 3, padding=1, bias=False)
    return nn.Sequential(convolution, NORM[dims](outputs), nn.ReLU())


def pool(u: Tensor) -> tuple[Tensor, Tensor]:
    """The maxima of blocks of 2x2 (2x2x2) pixels, (B, C, H/2, W/2), and the number of their pixel in its block."""
    values, places = fold(u).unflatten(1, (u.shape[1], -1)).max(2)
    return values, places


def unpool(u: Tensor, places: Tensor) -> Tensor:
    """Values (B, C, h, w) at their places in blocks of 2x2 (2x2x2) pixels, zeros elsewhere: (B, C, 2h, 2w)."""
    dims = u.ndim - 2
    numbers = torch.arange(2**dims, device=u.device).reshape(-1, *[1] * dims)
    return unfold(((numbers == places.unsqueeze(2)) * u.unsqueeze(2)).flatten(1, 2))

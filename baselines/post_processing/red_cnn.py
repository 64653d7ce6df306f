"""x_hat = d + T_5 u_4,   u_i = ReLU(T_i u_{i−1} + s_i),   u_0 = E(d),   d = D(y) the direct reconstruction

RED-CNN: an encoder E of five convolutions without padding, which shrink the image by four pixels each, and a decoder
of five transposed convolutions T_i, which restore its size. d, and the features s_i after the second and the fourth
convolution, are added again at their sizes. Filters have 5x5 pixels, and all layers but the last 96 channels in the
paper: 1,848,865 parameters.

Four things differ from the paper: the default has 32 channels, to train in minutes; d is normalised, so that one recipe
serves all units; the last layer starts at zero and has no ReLU, so that the untrained network is the direct
reconstruction and values may be negative; and images of less than 21 pixels a side are extended.

H. Chen et al., Low-dose CT with a residual encoder-decoder convolutional neural network, IEEE TMI 2017.
"""

from __future__ import annotations

from itertools import pairwise

from deepinv.physics import LinearPhysics
from torch import Tensor, nn

from baselines.networks.correction import corrected
from baselines.networks.folding import extend
from bench.contract.method import LearnedMethod
from bench.contract.operators import direct
from bench.contract.task import Track

SIDE, DEPTH = 5, 5  # of a filter; convolutions of the encoder
SMALLEST = DEPTH * (SIDE - 1) + 1


class RedCNN(LearnedMethod):
    """``width``: channels of all layers but the last."""

    def __init__(self, channels: int = 1, width: int = 32) -> None:
        super().__init__()
        widths = [channels, *[width] * DEPTH]
        self.encoder = nn.ModuleList(nn.Conv2d(a, b, SIDE) for a, b in pairwise(widths))
        self.decoder = nn.ModuleList(nn.ConvTranspose2d(a, b, SIDE) for a, b in pairwise(reversed(widths)))
        for parameter in self.decoder[-1].parameters():
            nn.init.zeros_(parameter)

    @classmethod
    def supports(cls, track: Track) -> str | None:
        return None if track.dims == 2 else "its filters are made for images, not for volumes"

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        return corrected(direct(y, physics), self.correction)

    def correction(self, z: Tensor) -> Tensor:
        """All of the network but the first skip connection, which adds d itself."""
        height, width = z.shape[2:]
        u = extend(z, SMALLEST) if min(z.shape[2:]) < SMALLEST else z
        skips = []
        for number, layer in enumerate(self.encoder):
            u = layer(u).relu()
            if number % 2 == 1:
                skips.append(u)
        for number, layer in enumerate(self.decoder):
            u = layer(u)
            if number % 2 == 0 and skips:
                u = u + skips.pop()
            if number < DEPTH - 1:
                u = u.relu()
        return u[..., :height, :width]

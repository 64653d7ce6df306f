"""The U-Net, for images of any size, in 2D and 3D.

O. Ronneberger, P. Fischer, T. Brox, U-Net, MICCAI 2015.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from baselines.networks.network import CONV, Network

CONV_TRANSPOSE = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


def unet(channels: int, out_channels: int, dims: int, width: int, levels: int, folded: bool = False) -> Network:
    """A U-Net of ``levels`` halvings; the width doubles with each."""
    return Network(channels, out_channels, dims, width, Level(dims, width, levels), levels, folded)


class Level(nn.Module):
    """One resolution of a U-Net: convolutions on either side of the coarser level, joined by a skip connection."""

    def __init__(self, dims: int, width: int, below: int) -> None:
        super().__init__()
        conv = CONV[dims]
        self.descend = nn.Sequential(conv(width, width, 3, padding=1), nn.ReLU())
        self.coarser: nn.Module | None = None
        if below:
            self.coarser = nn.Sequential(
                conv(width, 2 * width, 2, stride=2),
                nn.ReLU(),
                Level(dims, 2 * width, below - 1),
                CONV_TRANSPOSE[dims](2 * width, width, 2, stride=2),
            )
        self.ascend = nn.Sequential(conv((2 if below else 1) * width, width, 3, padding=1), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        x = self.descend(x)
        if self.coarser is not None:
            x = torch.cat([x, self.coarser(x)], 1)
        return self.ascend(x)

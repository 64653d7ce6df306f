"""Convolutional networks for images of any size, in 2D and 3D.

Their last layer starts at zero, so that a residual network starts as the identity. They may work on folded images:
`fold` packs each 2x2 (2x2x2) block into channels, which makes a layer four (eight) times cheaper and doubles its reach,
at some cost in the finest detail.

O. Ronneberger, P. Fischer, T. Brox, U-Net, MICCAI 2015.
W. Shi et al., Real-time super-resolution with an efficient sub-pixel network, CVPR 2016 (the folding).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

CONV = {2: nn.Conv2d, 3: nn.Conv3d}
CONV_TRANSPOSE = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


class Network(nn.Module):
    """Channels in, channels out, same size: ``hidden`` between two convolutions, on the image or its folding."""

    def __init__(
        self, channels: int, out_channels: int, dims: int, width: int, hidden: nn.Module, halvings: int, folded: bool
    ) -> None:
        super().__init__()
        self.folded = folded
        self.multiple = 2 ** (halvings + folded)  # of which the sides of an image are made
        block = 2**dims if folded else 1
        last = CONV[dims](width, out_channels * block, 3, padding=1)
        for parameter in last.parameters():
            nn.init.zeros_(parameter)
        self.body = nn.Sequential(CONV[dims](channels * block, width, 3, padding=1), nn.ReLU(), hidden, last)

    def forward(self, x: Tensor) -> Tensor:  # (B, C, ...)
        whole = extend(x, self.multiple)
        out = unfold(self.body(fold(whole))) if self.folded else self.body(whole)
        for axis in range(2, x.ndim):
            out = out.narrow(axis, 0, x.shape[axis])
        return out


def unet(channels: int, out_channels: int, dims: int, width: int, levels: int, folded: bool = False) -> Network:
    """A U-Net of ``levels`` halvings; the width doubles with each."""
    return Network(channels, out_channels, dims, width, Level(dims, width, levels), levels, folded)


def convnet(channels: int, out_channels: int, dims: int, width: int, layers: int, folded: bool = False) -> Network:
    """A plain stack of ``layers`` convolutions."""
    hidden = [module for _ in range(layers - 2) for module in (CONV[dims](width, width, 3, padding=1), nn.ReLU())]
    return Network(channels, out_channels, dims, width, nn.Sequential(*hidden), 0, folded)


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


def fold(x: Tensor) -> Tensor:
    """Blocks of two into channels: (B, C, 2H, 2W) to (B, 4C, H, W), and likewise in 3D."""
    batch, channels, *size = x.shape
    dims = len(size)
    x = x.reshape(batch, channels, *(m for n in size for m in (n // 2, 2)))
    order = (0, 1, *range(3, 3 + 2 * dims, 2), *range(2, 2 + 2 * dims, 2))
    return x.permute(order).reshape(batch, channels * 2**dims, *(n // 2 for n in size))


def unfold(x: Tensor) -> Tensor:
    """The inverse of `fold`."""
    batch, channels, *size = x.shape
    dims = len(size)
    x = x.reshape(batch, channels // 2**dims, *[2] * dims, *size)
    order = (0, 1, *(axis for i in range(dims) for axis in (2 + dims + i, 2 + i)))
    return x.permute(order).reshape(batch, channels // 2**dims, *(2 * n for n in size))


def extend(x: Tensor, multiple: int) -> Tensor:
    """Repeats the far edges until every side is a multiple; by `cat`, whose gradient is reproducible on a GPU."""
    for axis in range(2, x.ndim):
        n = x.shape[axis]
        missing = -n % multiple
        if missing:
            edge = x.narrow(axis, n - 1, 1)
            x = torch.cat([x, edge.expand(*x.shape[:axis], missing, *x.shape[axis + 1 :])], axis)
    return x

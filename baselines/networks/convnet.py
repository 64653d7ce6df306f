"""A plain stack of convolutions, for images of any size, in 2D and 3D."""

from __future__ import annotations

from torch import nn

from baselines.networks.network import CONV, Network


def convnet(channels: int, out_channels: int, dims: int, width: int, layers: int, folded: bool = False) -> Network:
    """A plain stack of ``layers`` convolutions."""
    hidden = [module for _ in range(layers - 2) for module in (CONV[dims](width, width, 3, padding=1), nn.ReLU())]
    return Network(channels, out_channels, dims, width, nn.Sequential(*hidden), 0, folded)

"""The first and the last convolution that networks share, for images of any size, in 2D and 3D.

The last layer starts at zero, so that a residual network starts as the identity. The network may work on folded images
(`baselines.networks.folding`).
"""

from __future__ import annotations

from torch import Tensor, nn

from baselines.networks.folding import extend, fold, unfold

CONV = {2: nn.Conv2d, 3: nn.Conv3d}


class Network(nn.Module):
    """Channels in, channels out, same size: ``hidden`` between two convolutions, on the image or its folding."""

    def __init__(
        self, channels: int, out_channels: int, dims: int, width: int, hidden: nn.Module, halvings: int, folded: bool
    ) -> None:
        super().__init__()
        self.folded = folded
        self.multiple = 2 ** (halvings + folded)  # divides the sides of the images inside
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

"""x_hat = d + N(d),   d = D(y) the direct reconstruction, N a U-Net

N sees d in units of its root mean square and, where the image is complex, with its smooth phase removed. Trained on
min E ‖x_hat − x‖², and zero at the start: training begins from d.

K. Jin, M. McCann, E. Froustey, M. Unser, Deep convolutional neural network for inverse problems in imaging, IEEE TIP 2017.
"""

from __future__ import annotations

from deepinv.physics import LinearPhysics
from torch import Tensor

from baselines.networks import unet
from baselines.normalisation import Normalised
from bench.method import LearnedMethod
from bench.operators import direct


class UNet(LearnedMethod):
    """``width`` channels at half resolution, doubled at each of ``levels`` further halvings."""

    def __init__(self, channels: int = 1, dims: int = 2, width: int = 32, levels: int = 2) -> None:
        super().__init__()
        self.network = Normalised(unet(channels, channels, dims, width, levels))

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        d = direct(y, physics)
        return d + self.network(d)

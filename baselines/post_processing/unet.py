"""x_hat = d + N(d),   d = D(y) the direct reconstruction, N a U-Net

N is zero before training, so that x_hat starts as d. It is trained on min E ‖x_hat − x‖². It sees d in units of the
root mean square, without the mean and the smooth phase of d. With ``consistent``, which the paper has not, x_hat is
projected onto {x : A x = y}, for measurements without noise.

The paper's network is larger: four halvings of 64 channels at the finest level, two convolutions with batch
normalisation at each side of a level, and maxima to halve. Here are three of 16, one convolution without
normalisation, and convolutions of stride two.

K. Jin, M. McCann, E. Froustey, M. Unser, Deep convolutional neural network for inverse problems in imaging, IEEE TIP
2017.
"""

from __future__ import annotations

from typing import ClassVar

from deepinv.physics import LinearPhysics
from torch import Tensor

from baselines.functionals.exact_data import project
from baselines.networks.normalisation import Normalisation
from baselines.networks.unet import unet
from bench.contract.method import LearnedMethod
from bench.contract.operators import direct


class UNet(LearnedMethod):
    """``width`` channels, doubled at each of ``levels`` halvings. Volumes are folded instead of a finest level."""

    learning_rate: ClassVar[float] = 4e-3

    def __init__(
        self, channels: int = 1, dims: int = 2, width: int = 16, levels: int = 3, consistent: bool = False
    ) -> None:
        super().__init__()
        self.consistent = consistent
        if dims == 3:
            self.network = unet(channels, channels, dims, 2 * width, levels - 1, folded=True)
        else:
            self.network = unet(channels, channels, dims, width, levels)

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        d = direct(y, physics)
        normalisation = Normalisation(d)
        z = normalisation.normalise(d)
        z = z - z.mean(dim=tuple(range(2, z.ndim)), keepdim=True)
        x_hat = d + normalisation.undo(self.network(z))
        return project(x_hat, y, physics) if self.consistent else x_hat

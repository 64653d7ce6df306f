"""min E Σ ½ (x̂ − x)² / σ² + ½ log σ²,   x̂ = R(y),  log σ² = V(x̂, D(y)):   two networks of one Gaussian likelihood

R makes the image and V, a small U-Net, its variance in each pixel from x̂ and the direct reconstruction D(y). Both are
trained together on the likelihood of a Gaussian whose variance depends on the data. The unit of σ is the root mean
square of the correction x̂ − D(y), which follows the strength of noise and artefacts whatever the brightness of the
image. The gradient of the likelihood reaches R by x̂ alone, not by way of V. Of a complex image the real and the
imaginary part have a variance each.

R is asked for by its name, ``-m learned_variance:network=learned_primal_dual``, and is the U-Net by default.

D. Nix, A. Weigend, Estimating the mean and variance of the target probability distribution, ICNN 1994.
A. Kendall, Y. Gal, What uncertainties do we need in Bayesian deep learning for computer vision?, NeurIPS 2017.
"""

from __future__ import annotations

from typing import Any

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor

from baselines.networks.confidence import Confident
from baselines.networks.normalisation import rms
from baselines.networks.unet import unet
from bench.contract.method import Estimate, Method
from bench.contract.operators import direct

WIDTH, LEVELS = 8, 2  # of V
LEAST_UNIT = 0.1  # of σ, in parts of the root mean square of D(y): R begins with no correction, or a small one
START = -2.0  # log σ² before training: an error of 37 % of the unit
LEAST, MOST = -12.0, 8.0  # log σ²: an error of 0.2 % of the correction, and of 55 times that


class LearnedVariance(Confident):
    """``network``: a learned method that returns images."""

    def __init__(self, network: Method | str = "unet", channels: int = 1, dims: int = 2) -> None:
        super().__init__(network)
        self.network: Any = network
        self.variance = unet(2 * channels, channels, dims, WIDTH, LEVELS)

    def loss(self, x_hat: Any, x: Tensor) -> Tensor:
        """The negative logarithm of the likelihood but for a constant, a mean over pixels, in the unit of σ."""
        return (0.5 * ((x_hat.image - x) / x_hat.std).square() + x_hat.std.log()).mean()

    def forward(self, y: Tensor, physics: LinearPhysics) -> Estimate:
        x_hat, d = self.network(y, physics), direct(y, physics)
        image = x_hat.detach()
        unit = torch.hypot(rms(image - d), LEAST_UNIT * rms(d))
        centred = image - image.mean(dim=tuple(range(2, d.ndim)), keepdim=True)
        seen = torch.cat([centred / rms(d), (image - d) / unit], 1)
        log_variance = (START + self.variance(seen)).clamp(LEAST, MOST)
        return Estimate(image=x_hat, std=unit * (0.5 * log_variance).exp())

"""x_hat = mean of R_1(y), ..., R_T(y),   std² = Σ (R_t(y) − x_hat)² / (T − 1):   R_t is R with random channels left out

Each channel behind a ReLU of the network R is left out with probability p, in training and in the test alike. The T
results are samples of a variational posterior over the weights, and std is the part of the deviation that comes from
not knowing these. The noise that every R_t leaves in the image is not in it, so that it is smaller than the error;
calibration finds by how much. Whole channels are left out because the pixels of one resemble each other.

R is asked for by its name, ``-m mc_dropout:network=learned_primal_dual``, and is the U-Net by default.

Y. Gal, Z. Ghahramani, Dropout as a Bayesian approximation, ICML 2016.
J. Tompson, R. Goroshin, A. Jain, Y. LeCun, C. Bregler, Efficient object localization using convolutional networks, CVPR
2015 (whole channels).
"""

from __future__ import annotations

from typing import Any

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor, nn

from baselines.networks.confidence import Confident, mean_and_deviation
from bench.contract.method import Estimate, LearnedMethod, Method
from bench.errors import BenchError


class MCDropout(Confident):
    """``network``: a learned method that returns images. ``probability``: p. ``samples``: T."""

    def __init__(self, network: Method | str = "unet", probability: float = 0.05, samples: int = 16) -> None:
        super().__init__(network)
        assert isinstance(network, LearnedMethod)  # the referee resolves the name
        if not 0 < probability < 1 or samples < 2:
            raise BenchError(f"probability={probability}, samples={samples}: it lies between 0 and 1; two or more.")
        self.network = network
        self.samples = samples
        activations = [one for one in self.network.modules() if isinstance(one, nn.ReLU)]
        if not activations:
            raise BenchError(f"{type(network).__name__} has no ReLU, behind which channels could be left out.")
        for activation in activations:
            activation.register_forward_hook(Dropout(probability))

    def loss(self, x_hat: Tensor, x: Tensor) -> Tensor:
        return self.network.loss(x_hat, x)

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor | Estimate:
        if self.training:
            return self.network(y, physics)
        return mean_and_deviation([self.network(y, physics) for _ in range(self.samples)])


class Dropout:
    """A hook that leaves out channels of what a layer returns, (B, C, ...), whatever the layer's mode."""

    def __init__(self, probability: float) -> None:
        self.probability = probability

    def __call__(self, layer: nn.Module, inputs: Any, out: Tensor) -> Tensor:
        return torch.feature_dropout(out, self.probability, True)

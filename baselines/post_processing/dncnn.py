"""x_hat = d − R(d),   d = D(y) the direct reconstruction, R a convolutional network that finds the noise

R has a convolution with a ReLU, fifteen of convolution, batch normalisation and ReLU, and a last convolution; all have
64 channels and 3x3 pixels. Where y is an image with noise, d is y, and this is DnCNN-S for one strength of noise.
Elsewhere R finds what the direct reconstruction has done wrong.

Three things differ from the paper: d is divided by its root mean square and loses its mean, so that one recipe serves
all units; R starts at zero; and the recipe is the referee's, Adam on patches of the track. With ``merged`` the
normalisations have become part of their convolutions, as in weights that were published: 555,137 parameters.
``normalise=False`` gives R the image as it is.

K. Zhang, W. Zuo, Y. Chen, D. Meng, L. Zhang, Beyond a Gaussian denoiser: residual learning of deep CNN for image
denoising, IEEE TIP 2017.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from deepinv.physics import LinearPhysics
from torch import Tensor, nn

from baselines.networks.correction import corrected
from bench.contract.method import LearnedMethod
from bench.contract.operators import direct
from bench.contract.task import Track


class DnCNN(LearnedMethod):
    """``layers``: convolutions, 17 for noise of one strength; ``width``: their channels."""

    def __init__(
        self, channels: int = 1, layers: int = 17, width: int = 64, merged: bool = False, normalise: bool = True
    ) -> None:
        super().__init__()
        self.network = nn.Sequential()
        for number, (inputs, outputs) in enumerate(pairwise([channels, *[width] * (layers - 1), channels])):
            normalised = 0 < number < layers - 1 and not merged
            convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=not normalised)
            nn.init.kaiming_normal_(convolution.weight)
            self.network.append(convolution)
            if normalised:
                self.network.append(nn.BatchNorm2d(outputs))
            if number < layers - 1:
                self.network.append(nn.ReLU())
        for parameter in convolution.parameters():
            nn.init.zeros_(parameter)
        self.normalise = normalise

    @classmethod
    def supports(cls, track: Track) -> str | None:
        return None if track.dims == 2 else "its 17 layers of 64 channels are made for images, not for volumes"

    @classmethod
    def published(cls, name: str, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """From cszn/DnCNN, MatConvNet: convolutions and ReLUs in turn, kernels (height, width, in, out), merged."""
        numbers = sorted({int(key.split(".")[2]) for key in tensors})
        state = {}
        for i in numbers:
            kernel = tensors[f"net.layers.{i}.weights.0"]
            kernel = kernel if kernel.ndim == 4 else kernel[..., None]  # MATLAB drops a last axis of one
            state[f"network.{i}.weight"] = kernel.permute(3, 2, 0, 1)
            state[f"network.{i}.bias"] = tensors[f"net.layers.{i}.weights.1"].flatten()
        width = len(state[f"network.{numbers[0]}.bias"])
        return {"layers": len(numbers), "width": width, "merged": True, "normalise": False}, state

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        d = direct(y, physics)
        if self.normalise:
            return corrected(d, lambda z: -self.network(z))
        return d - self.network(d)

"""x_hat = T * ReLU(C_2 * ReLU(C_1 * tanh(W_2 tanh(W_1 y + b_1) + b_2))),   * a convolution of the image's pixels

AUTOMAP: two fully connected layers take all numbers of the measurement to all pixels of an image, and three
convolutions refine it, C_1 and C_2 with 64 features of 5x5 pixels, T of 7x7. The network is told nothing of the
operator and has to learn the inverse transform from images. The loss is the squared error and λ Σ |features of C_2|,
and in training the measurement has one percent of multiplicative noise.

Its cost is the fully connected layers. For an image of n² pixels and 2n² measured numbers the paper has n² hidden
units, and so 2n² n² + n² n² weights, 805 million for its 128x128. Here the hidden layer is as wide as ``most``
parameters allow, and at most as wide as the image has pixels: for 96x96 pixels in two channels 542 of 9216 units, so
that W_2 W_1 has a low rank. ``-m automap:most=400000000`` has all of them there. The layers get their sizes from the
first measurement, and all further measurements and images must have these sizes.

Three more things differ from the paper: one network gives both parts of a complex image; y and x are in units of the
root mean squares of y and of the direct reconstruction; and the recipe is the referee's.

B. Zhu, J. Liu, S. Cauley, B. Rosen, M. Rosen, Image reconstruction by domain-transform manifold learning, Nature 2018.
"""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor, nn
from torch.nn.functional import linear, mse_loss

from baselines.networks.normalisation import rms
from bench.contract.method import LearnedMethod
from bench.contract.operators import direct
from bench.contract.task import Track
from bench.errors import BenchError

FEATURES = 64
SPARSITY = 1e-4  # λ, as in the paper
INPUT_NOISE = 0.01  # of each number of y in training, as in the paper
NARROWEST = 32  # hidden units; fewer keep next to nothing of an image. Set by hand


class Automap(LearnedMethod):
    """``most``: parameters of the fully connected layers at most. A training holds four numbers for each of them."""

    def __init__(self, channels: int = 1, most: int = 20_000_000) -> None:
        super().__init__()
        self.most = most
        self.first, self.second = Dense(), Dense()
        self.features = nn.Sequential(
            nn.Conv2d(channels, FEATURES, 5, padding=2),
            nn.ReLU(),
            nn.Conv2d(FEATURES, FEATURES, 5, padding=2),
            nn.ReLU(),
        )
        self.last = nn.ConvTranspose2d(FEATURES, channels, 7, padding=3)

    @classmethod
    def supports(cls, track: Track) -> str | None:
        if track.dims == 3:
            return "a layer from all voxels to all voxels has 1.2e10 weights (49 GB) at 48 voxels a side"
        if track.modality not in ("ct", "mri"):
            return f"its fully connected layers take images of one size, which the tracks of a {track.modality} lack"
        return None

    def setup(self, stage: str) -> None:
        if stage == "fit" and self.trainer.world_size > 1:
            raise BenchError("automap learns the sizes of its layers from the first measurement: train on one device.")

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        d = direct(y, physics)
        return rms(d) * self.last(self.final_features(y, d.shape))

    def final_features(self, y: Tensor, shape: torch.Size) -> Tensor:
        """The features of C_2, (B, 64, H, W), for images of a shape (B, C, H, W)."""
        given, pixels = y[0].numel(), prod(shape[1:])
        self.size(given, pixels, prod(shape[2:]))
        expected = self.first.weight.shape[1], self.second.weight.shape[0]
        if (given, pixels) != expected:
            raise BenchError(
                f"automap was made for {expected[0]} measured numbers and {expected[1]} pixels, and is given "
                f"{given} and {pixels}: its fully connected layers take one size."
            )
        hidden = self.first((y / rms(y)).flatten(1)).tanh()
        return self.features(self.second(hidden).tanh().reshape(shape))

    def size(self, given: int, pixels: int, width: int) -> None:
        """Make the fully connected layers, unless they are there. Raises `BenchError` where they do not fit."""
        if self.first.weight.numel():
            return
        hidden = min(width, (self.most - pixels) // (given + 1 + pixels))
        if hidden < min(NARROWEST, width):
            cost = (given + pixels) * width
            raise BenchError(
                f"automap with {given} measured numbers and {pixels} pixels has {cost:.1e} weights, "
                f"{4e-9 * cost:.0f} GB, in the paper's form, and most={self.most} leaves {max(hidden, 0)} of {width} "
                f"hidden units, fewer than {NARROWEST}. Allow more."
            )
        self.first.make(given, hidden)
        self.second.make(hidden, pixels)

    def training_step(self, batch: tuple[Any, ...], index: int) -> Tensor:
        x, y, physics = batch
        scale = rms(direct(y, physics))
        features = self.final_features(y * (1 + INPUT_NOISE * torch.randn_like(y)), x.shape)
        loss = mse_loss(self.last(features), x / scale) + SPARSITY * features.abs().mean()
        self.log("train_loss", loss, on_step=True, on_epoch=False)
        return loss


class Dense(nn.Module):
    """A fully connected layer whose sizes are made later, or read from weights that were saved."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(0, 0)), nn.Parameter(torch.empty(0))

    def make(self, inputs: int, outputs: int) -> None:
        """Random weights, in place: optimisers already hold these parameters."""
        made = nn.Linear(inputs, outputs).to(self.weight)  # drawn on the CPU: the same numbers for every device
        self.weight.data, self.bias.data = made.weight.data, made.bias.data

    def forward(self, u: Tensor) -> Tensor:
        return linear(u, self.weight, self.bias)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *arguments: Any) -> None:
        for name, parameter in self.named_parameters():
            if (saved := state_dict.get(prefix + name)) is not None:
                parameter.data = parameter.data.new_empty(saved.shape)
        super()._load_from_state_dict(state_dict, prefix, *arguments)

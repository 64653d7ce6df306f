"""x_{k+1} = x_k + N_k(x_k),   x_0 = D(y) the direct reconstruction,   x_hat = x_K

U-Nets in a row, each with weights of its own: a later one sees, and mends, what the ones before it have left or made.
All are trained at once, and every x_k is compared with the truth: the loss is the mean of their squared errors.

The data-consistency steps that the paper puts between its U-Nets are left out here, as networks of this family see no
measurement; `baselines.raw_to_image.varnet` has them. The U-Nets are those of `unet` here, smaller and without batch
normalisation, and each sees its image normalised (`baselines.networks.correction`).

A. Kofler et al., A U-nets cascade for sparse view computed tomography, MLMIR at MICCAI 2018.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor, nn

from baselines.networks.correction import corrected
from baselines.networks.unet import unet
from bench.contract.method import LearnedMethod
from bench.contract.operators import direct


class CascadedUNets(LearnedMethod):
    """``cascades``: K; ``width``, ``levels``: of each U-Net. Volumes are folded instead of a finest level."""

    learning_rate: ClassVar[float] = 4e-3

    def __init__(self, channels: int = 1, dims: int = 2, cascades: int = 2, width: int = 16, levels: int = 3) -> None:
        super().__init__()
        fold = dims == 3
        self.networks = nn.ModuleList(
            unet(channels, channels, dims, (1 + fold) * width, levels - fold, folded=fold) for _ in range(cascades)
        )

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        return self.images(y, physics)[-1]

    def training_step(self, batch: tuple[Tensor, Tensor, LinearPhysics], index: int) -> Tensor:
        x, y, physics = batch
        loss = torch.stack([self.loss(x_k, x) for x_k in self.images(y, physics)]).mean()
        self.log("train_loss", loss, on_step=True, on_epoch=False)
        return loss

    def images(self, y: Tensor, physics: LinearPhysics) -> list[Tensor]:
        """x_1 to x_K."""
        x, found = direct(y, physics), []
        for network in self.networks:
            x = corrected(x, network)
            found.append(x)
        return found

"""The contract of a method: a Lightning module that maps a measurement and its physics to a reconstruction."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from deepinv.physics import LinearPhysics
from pytorch_lightning import LightningModule
from torch import Tensor

from bench.contract.space import Range
from bench.contract.task import Track


@dataclass(frozen=True)
class Estimate:
    """What a method may return instead of a bare image: also a finding (a label map, say) and a standard deviation."""

    image: Tensor | None = None
    finding: Tensor | None = None
    std: Tensor | None = None


class Method(LightningModule):
    """Reconstructs ``x_hat = forward(y, physics)`` without ever seeing the ground truth.

    Constructor arguments are the method's hyperparameters, each with a default. Where the constructor asks for
    ``channels``, ``dims`` (spatial dimensions) or ``measured_channels``, the referee fills them in from the track.
    """

    search_space: ClassVar[Mapping[str, Range]] = {}  # the hyperparameters that are tuned
    learned: ClassVar[bool] = False

    @classmethod
    def space(cls, track: Track) -> Mapping[str, Range]:
        """The hyperparameters tuned on this track; by default `search_space`."""
        return cls.search_space

    @classmethod
    def supports(cls, track: Track) -> str | None:
        """None if the method applies to the track, else the reason why it does not."""
        return None

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor | Estimate:
        """Reconstruction of the shape of ``physics.A_adjoint(y)``, finite, on the device and in the dtype of ``y``."""
        raise NotImplementedError


@runtime_checkable
class Convergent(Protocol):
    """What a method that minimises may offer; the curve of the first test image is kept with the run."""

    def convergence(self, y: Tensor, physics: LinearPhysics) -> list[float]:
        """The objective after each iteration, its mean over the batch."""


@runtime_checkable
class Illustrated(Protocol):
    """What a method that learns a dictionary, a frame or filters may offer; they are kept with the run as pictures."""

    def atoms(self, y: Tensor, physics: LinearPhysics) -> Mapping[str, Tensor]:
        """What was learned, each set of atoms (N, h, w) by its name; from ``y`` where the method learns from that."""


class LearnedMethod(Method):
    """A method that is trained: mean squared error, Adam, a rate that warms up and falls as a cosine.

    Override what your paper does otherwise. A training batch is ``(x, y, physics)``. The constants of the recipe are
    class attributes and part of the run's key.
    """

    learned: ClassVar[bool] = True
    rate: ClassVar[float] = 1e-3  # Adam's initial step size
    clip: ClassVar[float | None] = 1.0  # bound on the norm of the gradient
    warm_up: ClassVar[float] = 0.1  # of the steps, with a rate that grows from zero

    def loss(self, x_hat: Tensor, x: Tensor) -> Tensor:
        return torch.nn.functional.mse_loss(x_hat, x)

    def training_step(self, batch: tuple[Tensor, Tensor, LinearPhysics], index: int) -> Tensor:
        x, y, physics = batch
        loss = self.loss(self(y, physics), x)
        self.log("train_loss", loss, on_step=True, on_epoch=False)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=self.rate)
        steps = max(1, int(self.trainer.estimated_stepping_batches))

        def factor(step: int) -> float:
            growth = min(1.0, (step + 1) / max(1.0, self.warm_up * steps))
            return growth * 0.5 * (1 + math.cos(math.pi * step / steps))

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

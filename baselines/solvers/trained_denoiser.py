"""A denoiser that learns from training images by steps of its own, without gradients, and then is plugged in."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor

from baselines.networks.normalisation import Normalisation
from baselines.solvers.plug_and_play import PlugAndPlay
from bench.contract.method import LearnedMethod
from bench.contract.operators import direct
from bench.contract.space import Range
from bench.contract.task import Track


class TrainedDenoiser(PlugAndPlay, LearnedMethod):
    """Subclasses write `learn` and `denoise`. Nothing is tuned: a method that learns has one recipe."""

    gradient_clip: ClassVar[float | None] = None

    def __init__(self, sigma: float = 0.03, start: float = 0.3, iterations: int | None = None) -> None:
        super().__init__(sigma, start, iterations)
        self.automatic_optimization = False

    @classmethod
    def space(cls, track: Track) -> Mapping[str, Range]:
        return {}

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        return []

    @torch.no_grad()
    def training_step(self, batch: tuple[Tensor, Tensor, LinearPhysics], index: int) -> Tensor:
        x, y, physics = batch
        return self.learn(Normalisation(direct(y, physics)).normalise(x).flatten(0, 1).unsqueeze(1))

    @abstractmethod
    def learn(self, x: Tensor) -> Tensor:
        """One step on the channels (B, 1, ...) of images in their frames; returns what is to fall."""

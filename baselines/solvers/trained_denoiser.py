"""z = D_θ(x; σ):   plug and play with a denoiser D_θ that learns θ from training images, without gradients

Every training step calls `learn` with a batch of normalised images. Afterwards the denoiser is used as any other
(`baselines.solvers.plug_and_play`).
"""

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
    """Subclasses write `learn` and `denoise`. No hyperparameter is tuned: a method that learns has one recipe."""

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
        """One training step on the channels (B, 1, ...) of normalised images; returns its loss, ()."""

"""f = N(x):   the analysis network on the true image, a ceiling for every method that has to reconstruct it

A control: the referee gives it the image in the place of the measurement, and its row is marked and has no rank. The
loss of sensitivity from here to `two_stage` is the price of the measurement and of the reconstruction.
"""

from __future__ import annotations

from typing import ClassVar

from deepinv.physics import LinearPhysics
from torch import Tensor

from baselines.networks.analysis import Analysis, Reader
from bench.contract.method import Estimate


class Oracle(Reader):
    """Sees the truth, in training and in the test."""

    sees_truth: ClassVar[bool] = True

    def __init__(self, channels: int = 1, classes: int = 1, dims: int = 2) -> None:
        super().__init__()
        self.analysis = Analysis(channels, classes, dims)

    def forward(self, y: Tensor, physics: LinearPhysics) -> Estimate:
        return Estimate(finding=self.analysis(y))  # y is x here

"""x_hat = D(y, but filled in the trace of the metal),   D the operator's direct reconstruction

The frame of methods that replace the rays through metal. No method is told where metal lies: its pixels are brighter in
D(y) than a multiple of soft tissue, whose level is taken from the same image, and its trace are the rays on which the
line integral of this mask is positive. In the end the metal is put back as D(y) shows it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor

from bench.contract.method import Method
from bench.contract.operators import direct
from bench.contract.space import Float, Range
from bench.contract.task import Track


class TraceFilling(Method):
    """``metal``: its threshold in multiples of soft tissue; ``filtering``: hyperparameters of D.

    In validation phantoms of 4 mm a pixel thresholds from 3 to 6 found every implant, from 5 on nearly nothing else.
    """

    def __init__(self, metal: float = 5.0, **filtering: float | str) -> None:
        super().__init__()
        self.metal = metal
        self.filtering = filtering

    @classmethod
    def space(cls, track: Track) -> Mapping[str, Range]:
        return {"metal": Float(2.0, 8.0, log=True), **track.direct_space}

    @classmethod
    def defaults(cls, track: Track) -> Mapping[str, Any]:
        return {**super().defaults(track), **track.direct_defaults}

    @classmethod
    def supports(cls, track: Track) -> str | None:
        return None if track.metal else "it replaces the rays through metal, and the images of this track hold none"

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        first = self.direct(y, physics)
        metal = metal_of(first, self.metal)
        filled = self.fill(y, trace_of(metal, physics, y), physics)
        return torch.where(metal, first, self.direct(filled, physics))

    def direct(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        return direct(y, physics, **self.filtering)

    @abstractmethod
    def fill(self, y: Tensor, trace: Tensor, physics: LinearPhysics) -> Tensor:
        """y with other values in the ``trace``, a mask of its shape."""


def soft_level(image: Tensor) -> Tensor:
    """The attenuation of soft tissue, (B, 1, 1, 1): the median of the pixels above the mean of each image.

    Most of these pixels are soft tissue in a slice of a body: air and lung lie below the mean, and bone is rare.
    """
    levels = [one[one >= one.mean()].median() for one in image]
    return torch.stack(levels).reshape(-1, *[1] * (image.ndim - 1))


def metal_of(image: Tensor, threshold: float) -> Tensor:
    """The pixels above ``threshold`` times soft tissue, a mask of the shape of the image."""
    return image > threshold * soft_level(image)


def trace_of(metal: Tensor, physics: LinearPhysics, y: Tensor) -> Tensor:
    """The rays that meet metal, a mask of the shape of y."""
    return physics.A(metal.to(y)) > 0


def interpolated(y: Tensor, trace: Tensor) -> Tensor:
    """y (..., bins), in the trace linear between the nearest bins of its view on either side, else as it is.

    At an end of the detector the value of the one side goes on. A view that lies all in the trace is kept.
    """
    bins = y.shape[-1]
    place = torch.arange(bins, device=y.device).expand(y.shape)
    left = torch.where(trace, -1, place).cummax(-1).values
    right = torch.where(trace, bins, place).flip(-1).cummin(-1).values.flip(-1)
    left, right = torch.where(left < 0, right, left), torch.where(right == bins, left, right)
    known = (left >= 0) & (left < bins)
    left, right = left.clamp(0, bins - 1), right.clamp(0, bins - 1)
    weight = (place - left).to(y) / (right - left).clamp(min=1)
    return torch.where(trace & known, torch.lerp(y.gather(-1, left), y.gather(-1, right), weight), y)

"""x_hat = D(y; h):   the operator's direct reconstruction D, with its few hyperparameters h

D is the first step in practice: the identity for denoising, Wiener for blur, interpolation for inpainting, filtered
backprojection for CT, the zero-filled transform for MRI, a truncated dipole kernel for QSM. It is the adjoint,
x_hat = Aᵀy, where the operator offers nothing better.

The operator implements D (`bench.contract.operators`). The track declares the ranges of h and the operator's defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepinv.physics import LinearPhysics
from torch import Tensor

from bench.contract.method import Method
from bench.contract.operators import direct
from bench.contract.space import Range
from bench.contract.task import Track


class Direct(Method):
    """``hyperparameters`` of the track's operator: a filter's window, a threshold."""

    def __init__(self, **hyperparameters: float | str) -> None:
        super().__init__()
        self.options = hyperparameters

    @classmethod
    def space(cls, track: Track) -> Mapping[str, Range]:
        return track.direct_space

    @classmethod
    def defaults(cls, track: Track) -> Mapping[str, Any]:
        """The operator's own defaults, since the constructor names no hyperparameter."""
        return {name: value for name, value in track.direct_defaults.items() if name in track.direct_space}

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        return direct(y, physics, **self.options)

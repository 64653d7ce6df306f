"""x_hat = D(y; h), with D what is done first in practice for an operator and h its few hyperparameters.

Identity for denoising, Wiener for blur, interpolation for inpainting, filtered backprojection for CT, the zero-filled
transform for MRI, a truncated dipole kernel for QSM; the adjoint x_hat = Aᵀy where the operator names nothing better.

The operator implements D (see `bench.direct`), the track declares the range of h.
"""

from __future__ import annotations

from collections.abc import Mapping

from deepinv.physics import LinearPhysics
from torch import Tensor

from bench.contract.method import Method
from bench.contract.operators import direct
from bench.contract.space import Range
from bench.contract.task import Track


class Direct(Method):
    """``hyperparameters`` are those of the track's operator: a filter's window, a threshold."""

    def __init__(self, **hyperparameters: float | str) -> None:
        super().__init__()
        self.options = hyperparameters

    @classmethod
    def space(cls, track: Track) -> Mapping[str, Range]:
        return track.direct_space

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        return direct(y, physics, **self.options)

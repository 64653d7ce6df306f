"""x ← (x + ω C Aᵢᵀ R (yᵢ − Aᵢx))₊,   over subsets i of the rays, sweep after sweep

Algebraic reconstruction: each step spreads the residual of a subset of rays back along these rays.

- ``art``: rays that share no pixel, R = 1/‖a‖², C = 1. A step is one Kaczmarz projection for each ray.
- ``sart``: all rays of a view, R = 1/(row sums), C = 1/(column sums).
- ``sirt``: all rays, with R and C as in ``sart``.

Views are visited in steps of the golden section, so that successive views are far apart. The first sweeps bring the
image, later sweeps the noise: the number of sweeps is the regularisation. Attenuation is not negative.

R. Gordon, R. Bender, G. Herman, Algebraic reconstruction techniques (ART), J. Theor. Biol. 1970.
P. Gilbert, Iterative methods for the three-dimensional reconstruction of an object from projections, ibid. 1972 (SIRT).
A. Andersen, A. Kak, Simultaneous algebraic reconstruction technique (SART), Ultrasonic Imaging 1984.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor

from baselines.choice import one_of
from bench.contract.method import Method
from bench.contract.operators import Rays, rays
from bench.contract.space import Float, Int
from bench.contract.task import Track

VARIANTS = ("art", "sart", "sirt")
DISJOINT = 4  # rays of a view at this distance share no pixel: linear interpolation reaches two pixels
GOLDEN = (5**0.5 - 1) / 2


class ART(Method):
    """``sweeps`` over all rays, with steps of ω = ``relaxation``."""

    search_space: ClassVar = {"sweeps": Int(1, 100, log=True), "relaxation": Float(0.03, 1.5, log=True)}

    def __init__(self, variant: str = "sart", sweeps: int = 10, relaxation: float = 0.3) -> None:
        super().__init__()
        self.variant = one_of("variant", variant, VARIANTS)
        self.sweeps = sweeps
        self.relaxation = relaxation

    @classmethod
    def supports(cls, track: Track) -> str | None:
        return None if track.modality == "ct" else "it weighs rays by the lengths of their paths: tomography only"

    @torch.no_grad()
    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        x = torch.zeros_like(physics.A_adjoint(y))
        steps = [(subset, *self.weights(subset, y, x)) for subset in self.subsets(physics, y)]
        for _ in range(self.sweeps):
            for subset, R, C in steps:
                residual = R * (subset.of(y) - subset.A(x))
                x = (x + self.relaxation * C * subset.A_adjoint(residual)).clamp_(min=0)
        return x

    def subsets(self, physics: LinearPhysics, y: Tensor) -> list[Rays]:
        """The subsets of rays in the order of their steps."""
        views = y.shape[-2]
        if self.variant == "sirt":
            return [rays(physics, y, slice(None), slice(None))]
        order = sorted(range(views), key=lambda k: (k * GOLDEN) % 1)
        turn = sorted(range(views), key=lambda k: order[k])
        apart = range(DISJOINT) if self.variant == "art" else [0]
        step = DISJOINT if self.variant == "art" else 1
        return [rays(physics, y, slice(k, k + 1), slice(first, None, step)) for k in turn for first in apart]

    def weights(self, subset: Rays, y: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """R and C; 0 for a ray that meets no pixel, and for a pixel that meets no ray."""
        ones = torch.ones_like(subset.of(y[:1]))
        column = subset.A_adjoint(ones)
        if self.variant == "art":
            return inverse(subset.A(column)), torch.ones_like(column)  # A Aᵀ is diagonal: the squared norms
        return inverse(subset.A(torch.ones_like(x[:1]))), inverse(column)


def inverse(x: Tensor) -> Tensor:
    """1 / x, and 0 where x is 0."""
    return torch.where(x > 0, 1 / x, 0)

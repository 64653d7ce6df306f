"""x_hat = D(p ⊙ L(y ⊘ p)),   p = A x_prior;   L interpolates in the metal's trace, D is filtered backprojection

Normalised metal artefact reduction. Divided by the line integrals p of a prior image, y is nearly flat where the prior
is right, and an interpolation across the trace does little harm there. The prior is the reconstruction by linear
interpolation, cut into classes: air is zero, soft tissue has one value, bone keeps its values. As in the paper lung is
air. The paper smooths the image before it is cut; at the pixels of 4 mm of the phantoms that costs accuracy.

E. Meyer, R. Raupach, M. Lell, B. Schmidt, M. Kachelrieß, Normalized metal artifact reduction (NMAR) in computed
tomography, Med. Phys. 37(10), 2010.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor

from baselines.metal_trace import TraceFilling, interpolated, soft_level
from bench.contract.space import Float, Range
from bench.contract.task import Track

LEAST = 0.01  # of the largest line integral of the prior: rays of less pass by the body and are not divided


class NMAR(TraceFilling):
    """``air`` and ``bone``: between them lies soft tissue, in multiples of its level; further see `TraceFilling`."""

    def __init__(self, metal: float = 5.0, air: float = 0.6, bone: float = 1.3, **filtering: float | str) -> None:
        super().__init__(metal, **filtering)
        self.air = air
        self.bone = bone

    @classmethod
    def space(cls, track: Track) -> Mapping[str, Range]:
        return {**super().space(track), "air": Float(0.3, 0.9), "bone": Float(1.1, 2.0)}

    def fill(self, y: Tensor, trace: Tensor, physics: LinearPhysics) -> Tensor:
        p = physics.A(self.prior(self.direct(interpolated(y, trace), physics)))
        least = LEAST * p.amax(tuple(range(1, p.ndim)), keepdim=True)
        divisor = torch.where(p > least, p, 1)
        return torch.where(trace, divisor * interpolated(y / divisor, trace), y)

    def prior(self, image: Tensor) -> Tensor:
        """The image cut into air, soft tissue and bone."""
        soft = soft_level(image)
        return torch.where(image < self.air * soft, 0, torch.where(image > self.bone * soft, image, soft))

"""What an operator may offer beyond `deepinv.physics.LinearPhysics`, and what is used where it does not.

- ``direct(y, **hyperparameters)``: what is done first in practice (FBP, TKD, Wiener, zero-filled, interpolation).
- ``filter(y, window)``: the measurement-domain filter of a filtered backprojection.
- ``operator_norm``: the largest singular value of ``A``, where it is known.
"""

from __future__ import annotations

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor

POWER_ITERATIONS = 30


def direct(y: Tensor, physics: LinearPhysics, **hyperparameters: float | str) -> Tensor:
    """The operator's direct reconstruction of ``y``; the adjoint where it offers none."""
    if hasattr(physics, "direct"):
        return physics.direct(y, **hyperparameters)
    return physics.A_adjoint(y)


def operator_norm(physics: LinearPhysics, y: Tensor) -> float:
    """The norm of ``A``: as the operator states it, else by power iteration from ``A_adjoint(y)``'s shape (seeded)."""
    stated = getattr(physics, "operator_norm", None)
    if stated is not None:
        return float(stated)
    shape = physics.A_adjoint(y).shape
    # One image for the whole batch, so that an image alone finds what it finds in a batch.
    x = torch.randn(shape[1:], generator=torch.Generator().manual_seed(0)).to(y).expand(shape)
    norm = 1.0
    for _ in range(POWER_ITERATIONS):
        x = physics.A_adjoint(physics.A(x / x.norm()))
        norm = float(x.norm())
    return norm**0.5

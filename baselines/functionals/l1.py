"""g(c) = λ Σ w |c|, the weighted 1-norm of coefficients c = Kv.

Lengths run over the channels: both parts of a complex coefficient, and the colours, vanish together.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from baselines.functionals.regulariser import Regulariser, sum_of


def sparsity(
    lam: float,
    weights: Tensor,  # w, broadcasts to c; 0 where nothing is penalised
    K: Callable[[Tensor], Tensor] = torch.clone,
    K_adjoint: Callable[[Tensor], Tensor] = torch.clone,
    channel_axis: int = 1,  # of c; the batch stands before it
) -> Regulariser:
    """With K of norm one, an identity or a tight frame."""

    def value(c: Tensor) -> Tensor:
        return sum_of(lam * weights * length(c, channel_axis), channel_axis - 1)

    def project(p: Tensor, sigma: float) -> Tensor:
        return project_lengths(p, lam * weights, channel_axis)

    return Regulariser(K, K_adjoint, 1.0, value, project)


def length(c: Tensor, channel_axis: int) -> Tensor:
    """Over the channels, kept broadcastable; `torch.linalg.vector_norm` is many times slower on an axis this short."""
    if c.shape[channel_axis] == 1:
        return c.abs()
    first, *others = c.split(1, channel_axis)
    squared = first * first
    for channel in others:
        squared.addcmul_(channel, channel)
    return squared.sqrt_()


def project_lengths(p: Tensor, radius: Tensor, channel_axis: int) -> Tensor:
    """On lengths at most ``radius``, in place."""
    tiny = torch.finfo(p.dtype).tiny
    return p.mul_((radius / length(p, channel_axis).clamp_(min=tiny)).clamp_(max=1))

"""g(c) = λ Σ w |c|, the weighted 1-norm of coefficients c = Kv, and its proximal map, the soft threshold.

The length |c| runs over the channels, so that both parts of a complex coefficient, or the colours, vanish together.

D. Donoho, De-noising by soft-thresholding, IEEE Trans. Inf. Theory 1995.
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
    """λ Σ w |Kv| with K of norm one: an identity or a tight frame."""

    def value(c: Tensor) -> Tensor:
        return sum_of(lam * weights * length(c, channel_axis), channel_axis - 1)

    def prox_dual(p: Tensor, sigma: float) -> Tensor:
        return project_lengths(p, lam * weights, channel_axis)

    def prox(c: Tensor, step: float) -> Tensor:
        return soft_threshold(c, step * lam * weights, channel_axis)

    return Regulariser(K, K_adjoint, 1.0, value, prox_dual, prox)


def soft_threshold(c: Tensor, threshold: float | Tensor, channel_axis: int | None = None) -> Tensor:
    """argmin_v ½|v − c|² + threshold |v|: every length falls by the threshold (broadcasts to c), at most to zero.

    The length runs over ``channel_axis``; without one every number of ``c`` is shrunk by itself.
    """
    size = c.abs() if channel_axis is None else length(c, channel_axis)
    return c * ((size - threshold).clamp(min=0) / size.clamp(min=torch.finfo(c.dtype).tiny))


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
    """``p`` with lengths cut to at most ``radius``, in place."""
    tiny = torch.finfo(p.dtype).tiny
    return p.mul_((radius / length(p, channel_axis).clamp_(min=tiny)).clamp_(max=1))

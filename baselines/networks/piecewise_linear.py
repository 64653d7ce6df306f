"""S(a) = q_k + (a − p_k)(q_{k+1} − q_k)/(p_{k+1} − p_k),   p_k ≤ a ≤ p_{k+1}

Functions of one variable, learned by their values q_k at 101 evenly spaced positions p_k from −1 to 1. Outside of
[−1, 1] a function runs on with the slope of its last piece, as in the code of ADMM-Net (its paper writes slope one).

Y. Yang, J. Sun, H. Li, Z. Xu, Deep ADMM-Net for compressive sensing MRI, NIPS 2016.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from baselines.networks.rbf_activation import look_up

POSITIONS = 101
CHUNK = 2**18  # numbers at a time, which stay in a processor's cache: more than twice as fast


def positions() -> Tensor:
    """p, (101,)."""
    return torch.linspace(-1, 1, POSITIONS)


def values_of(function: Callable[[Tensor], Tensor], count: int) -> Tensor:
    """q (count, 101) of ``count`` equal functions."""
    return function(positions()).repeat(count, 1)


def piecewise_linear(
    a: Tensor,  # (B, N, ...)
    q: Tensor,  # (N, 101), or other numbers of evenly spaced positions
) -> Tensor:
    """S of each channel, of the shape of ``a``."""
    channels = max(1, CHUNK * len(q) // max(1, a.numel()))
    parts = [interpolate(*part) for part in zip(a.split(channels, 1), q.split(channels), strict=True)]
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def interpolate(a: Tensor, q: Tensor) -> Tensor:
    pieces = q.shape[1] - 1
    u = (a + 1) * (pieces / 2)
    left = u.detach().nan_to_num().clamp(0, pieces - 1).long()
    channel = torch.arange(a.shape[1], device=a.device).reshape(-1, *[1] * (a.ndim - 2))
    place = left + pieces * channel
    value, difference = q[:, :-1].flatten(), q.diff().flatten()
    return look_up(value, place) + look_up(difference, place) * (u - left)

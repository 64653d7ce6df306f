"""Blocks of 2x2 (2x2x2) pixels as channels, and images extended to whole blocks.

A network on a folded image has layers that are four (eight) times cheaper and reach twice as far, at some cost in the
finest detail.

W. Shi et al., Real-time super-resolution with an efficient sub-pixel network, CVPR 2016.
"""

from __future__ import annotations

import torch
from torch import Tensor


def fold(x: Tensor) -> Tensor:
    """Blocks of two into channels: (B, C, 2H, 2W) to (B, 4C, H, W), and likewise in 3D."""
    batch, channels, *size = x.shape
    dims = len(size)
    x = x.reshape(batch, channels, *(m for n in size for m in (n // 2, 2)))
    order = (0, 1, *range(3, 3 + 2 * dims, 2), *range(2, 2 + 2 * dims, 2))
    return x.permute(order).reshape(batch, channels * 2**dims, *(n // 2 for n in size))


def unfold(x: Tensor) -> Tensor:
    """The inverse of `fold`."""
    batch, channels, *size = x.shape
    dims = len(size)
    x = x.reshape(batch, channels // 2**dims, *[2] * dims, *size)
    order = (0, 1, *(axis for i in range(dims) for axis in (2 + dims + i, 2 + i)))
    return x.permute(order).reshape(batch, channels // 2**dims, *(2 * n for n in size))


def extend(x: Tensor, multiple: int) -> Tensor:
    """The far edges repeated until ``multiple`` divides every side, by `cat`: its gradient is reproducible on a GPU."""
    for axis in range(2, x.ndim):
        n = x.shape[axis]
        missing = -n % multiple
        if missing:
            edge = x.narrow(axis, n - 1, 1)
            x = torch.cat([x, edge.expand(*x.shape[:axis], missing, *x.shape[axis + 1 :])], axis)
    return x

"""M x = b, M symmetric and positive definite, by conjugate gradients.

Each image of a batch has its own steps. deepinv's version adds an absolute 1e-8 to its denominators, which stalls it on
images in small units (ppm).

M. Hestenes, E. Stiefel, Methods of conjugate gradients for solving linear systems, J. Res. NBS 1952.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def conjugate_gradient(M: Callable[[Tensor], Tensor], b: Tensor, start: Tensor, iterations: int) -> Tensor:
    """``iterations`` steps from ``start``, (B, ...); an image whose residual is zero stays as it is."""
    x = start
    r = b - M(x)
    p, square = r, inner(r, r)
    for _ in range(iterations):
        Mp = M(p)
        step = ratio(square, inner(p, Mp))
        x = x + step * p
        r = r - step * Mp
        last, square = square, inner(r, r)
        p = r + ratio(square, last) * p
    return x


def inner(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of each image, kept broadcastable: (B, 1, ...)."""
    return (a * b).sum(dim=tuple(range(1, a.ndim)), keepdim=True)


def ratio(a: Tensor, b: Tensor) -> Tensor:
    """a / b, and zero where b is zero."""
    return torch.where(b > 0, a / b.clamp(min=torch.finfo(b.dtype).tiny), 0)

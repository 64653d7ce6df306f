"""(∇x)_i = x(· + e_i) − x, finite differences and their adjoint, in 2D and 3D.

The difference is zero at the far edge (Neumann), and ∇ᵀ = −div. Fields are stacked first,
(dims, B, C, ...), so that each component is contiguous; ``out`` arrays are reused by iterative methods.

A. Chambolle, An algorithm for total variation minimization and applications, J. Math. Imaging Vis. 2004.
"""

from __future__ import annotations

import torch
from torch import Tensor


def gradient_norm_squared(dims: int) -> float:
    """An upper bound of ‖∇‖², tight for large images (Chambolle 2004, theorem 3.1)."""
    return 4.0 * dims


def gradient(x: Tensor, out: Tensor | None = None) -> Tensor:
    """Forward differences of ``x`` (B, C, ...): a field (dims, B, C, ...)."""
    dims = x.ndim - 2
    out = x.new_empty(dims, *x.shape) if out is None else out
    for i, component in enumerate(out):
        axis, n = i + 2, x.shape[i + 2]
        torch.sub(x.narrow(axis, 1, n - 1), x.narrow(axis, 0, n - 1), out=component.narrow(axis, 0, n - 1))
        component.narrow(axis, n - 1, 1).zero_()
    return out


def gradient_adjoint(p: Tensor, out: Tensor | None = None) -> Tensor:
    """The adjoint of `gradient`, -div ``p``: (dims, B, C, ...) to (B, C, ...)."""
    out = torch.zeros_like(p[0]) if out is None else out.zero_()
    for i, component in enumerate(p):
        axis, n = i + 2, p.shape[i + 3]
        inner = component.narrow(axis, 0, n - 1)
        out.narrow(axis, 0, n - 1).sub_(inner)
        out.narrow(axis, 1, n - 1).add_(inner)
    return out


def magnitude(p: Tensor) -> Tensor:
    """Pointwise length of a field over its components and the channels together: (dims, B, C, ...) to (B, 1, ...).

    Channels are coupled: an edge of a complex or a colour image is one edge (vectorial total variation).
    """
    squared = p[0] * p[0]
    for component in p[1:]:
        squared.addcmul_(component, component)
    return squared.sum(1, keepdim=True).sqrt_() if squared.shape[1] > 1 else squared.sqrt_()

"""Protocols by which an operator offers more than `deepinv.physics.LinearPhysics`, each with a fallback.

- ``direct(y, **hyperparameters)``: the first reconstruction in practice (FBP, TKD, Wiener, zero-filled, interpolation);
  otherwise the adjoint.
- ``filter(y, window)``: the measurement-domain filter of a filtered backprojection.
- ``closed_form_tikhonov(y, lam)``: the minimiser of ``‖Ax − y‖² + lam ‖∇x‖²``; otherwise it is iterated.
- ``rays(views, bins)``: A restricted to a part of the measurement (see `Rays`); otherwise all of A is worked out.
- ``operator_norm``: the largest singular value of ``A``; otherwise power iteration finds it.
- ``completion()``: the complete scan of which y is a part (see `Completion`); otherwise y itself.
- ``with_kernel(kernel)`` and ``kernel_size``: of a blind track, whose A is the identity (see `Blind`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from deepinv.physics import DecomposablePhysics, LinearPhysics
from torch import Tensor

POWER_ITERATIONS = 30  # of the norm of an operator that states none


@runtime_checkable
class Blind(Protocol):
    """An operator that does not reveal the kernel by which y was blurred; its A is the blur by a delta."""

    kernel_size: int  # an upper bound on the kernel's sides, in pixels

    def with_kernel(self, kernel: Tensor) -> LinearPhysics:
        """The blur by ``kernel`` (h, w), no side longer than ``kernel_size``, centred on pixel (h // 2, w // 2)."""


@dataclass(frozen=True)
class Rays:
    """A restricted to the rays y[..., views, bins]; ``of`` picks these rays from a measurement."""

    A: Callable[[Tensor], Tensor]
    A_adjoint: Callable[[Tensor], Tensor]
    views: slice
    bins: slice

    def of(self, y: Tensor) -> Tensor:
        return y[..., self.views, self.bins]


@dataclass(frozen=True)
class Completion:
    """The complete scan of which y is a part: its A, and ``embed``, which puts y into it and zeros elsewhere."""

    physics: LinearPhysics
    embed: Callable[[Tensor], Tensor]


def completion(physics: LinearPhysics) -> Completion:
    """The complete scan of an operator: all views, all samples of k-space; without ``completion`` the one it has."""
    return physics.completion() if hasattr(physics, "completion") else Completion(physics, lambda y: y)


def direct(y: Tensor, physics: LinearPhysics, **hyperparameters: float | str) -> Tensor:
    """The operator's direct reconstruction of ``y``, or the adjoint where it offers none."""
    if hasattr(physics, "direct"):
        return physics.direct(y, **hyperparameters)
    return physics.A_adjoint(y)


def rays(physics: LinearPhysics, y: Tensor, views: slice, bins: slice) -> Rays:
    """A restricted to some rays of a tomograph that measures ``y``; without ``physics.rays`` all of A is worked out."""
    if hasattr(physics, "rays"):
        return physics.rays(views, bins)

    def A(x: Tensor) -> Tensor:
        return physics.A(x)[..., views, bins]

    def A_adjoint(part: Tensor) -> Tensor:
        whole = y.new_zeros(len(part), *y.shape[1:])
        whole[..., views, bins] = part
        return physics.A_adjoint(whole)

    return Rays(A, A_adjoint, views, bins)


def operator_norm(physics: LinearPhysics, y: Tensor) -> float:
    """The norm of ``A``: stated by the operator, its largest singular value, or found by seeded power iteration.

    It is one number for a batch: the largest norm, where each image has an operator of its own.
    """
    stated = getattr(physics, "operator_norm", None)
    if stated is not None:
        return float(stated)
    if isinstance(physics, DecomposablePhysics):
        return float(physics.mask.abs().max())
    shape = physics.A_adjoint(y).shape
    # One start for all images of a batch, so that an image alone gives the same norm.
    x = torch.randn(shape[1:], generator=torch.Generator().manual_seed(0)).to(y).expand(shape)
    norm = 1.0
    for _ in range(POWER_ITERATIONS):
        x = physics.A_adjoint(physics.A(x / x.norm()))
        norm = float(x.norm())
    return norm**0.5

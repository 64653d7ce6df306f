"""The perturbation of a measurement that moves a reconstruction most, among those of one norm.

V. Antun, F. Renna, C. Poon, B. Adcock, A. Hansen, On instabilities of deep learning in image reconstruction and the
potential costs of AI, PNAS 117(48), 2020: gradient ascent on ½‖f(y + d) − f(y)‖², here over the sphere ‖d‖ = r.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

STEPS = 20  # of the ascent, each one forward and one backward pass
STRIDE = 0.25  # length of a step, in parts of r

Reconstruction = Callable[[Tensor], Tensor]


def random_perturbation(y: Tensor, norm: float, generator: torch.Generator) -> Tensor:
    """White noise of a norm, like ``y`` (1, ...), zero where nothing was measured, that is where ``y`` is zero."""
    noise = torch.randn(y.shape, generator=generator, dtype=y.dtype).to(y.device)
    return on_sphere(noise * (y != 0), norm)


def worst_perturbation(f: Reconstruction, y: Tensor, start: Tensor, steps: int = STEPS) -> Tensor | None:
    """Projected gradient ascent from ``start`` over the sphere of its norm; None where ``f`` has no gradient in y.

    Returns the best of all iterates, so that it moves the reconstruction at least as far as ``start`` does.
    """
    radius = float(start.norm())
    with torch.no_grad():
        undisturbed = f(y)
    best, farthest, d = start, -1.0, start
    for _ in range(steps + 1):
        d = d.detach().requires_grad_()
        with torch.enable_grad():
            moved = f(y + d)
            if not moved.requires_grad:
                return None
            distance = 0.5 * (moved - undisturbed).square().sum()
            try:
                (gradient,) = torch.autograd.grad(distance, d)
            except RuntimeError:  # the output depends on weights, but not on y by way of differentiable steps
                return None
        if float(distance.detach()) > farthest:
            best, farthest = d.detach(), float(distance.detach())
        gradient = gradient * (y != 0)
        length = float(gradient.norm())
        if not 0 < length < float("inf"):
            break
        d = on_sphere(d.detach() + STRIDE * radius / length * gradient, radius)
    return best


def on_sphere(d: Tensor, radius: float) -> Tensor:
    """The tensor scaled to a norm; zero stays zero."""
    return d * (radius / max(float(d.norm()), 1e-30))

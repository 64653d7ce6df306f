"""min_c μ Σ w|c| + ‖c‖²/(2δ)  with  Ac = y,   by linearized Bregman iterations:

    v_{k+1} = v_k − ∇f(c_k),   c_{k+1} = δ soft(v_{k+1}, μw),   v_0 = c_0 = 0,   f(c) = ½‖Ac − y‖²/‖A‖²

These are steps of length one up the gradient of the dual problem, which converge for δ < 2. For a large enough μδ the
limit minimises μ Σ w|c| alone. Early iterates hold the largest coefficients; details come later, and noise last. So
data with noise stop early: after a number of iterations, or where ‖Ac − y‖ has fallen to the noise (the discrepancy
principle of Morozov). Each image of a batch stops by itself.

While no coefficient appears or vanishes, v only grows along −∇f and c stands still. Kicking takes all these iterations
in one: as many as it takes until the first length |v| passes its threshold.

W. Yin, S. Osher, D. Goldfarb, J. Darbon, Bregman iterative algorithms for l1-minimization with applications to
compressed sensing, SIAM J. Imaging Sci. 2008.
J.-F. Cai, S. Osher, Z. Shen, Linearized Bregman iterations for compressed sensing, Math. Comp. 2009 (convergence).
S. Osher, Y. Mao, B. Dong, W. Yin, Fast linearized Bregman iteration for compressive sensing and sparse denoising,
Commun. Math. Sci. 2010 (kicking).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from baselines.functionals.data_fit import DataFit
from baselines.functionals.l1 import length, soft_threshold

STILL = 1e-6  # change of c, relative to its length, below which it stands still; set by hand for single precision


def linearized_bregman(
    start: Tensor,  # zeros of the shape of c
    f: DataFit,  # least squares
    threshold: Tensor,  # μw, broadcasts to c
    delta: float,
    iterations: int,
    watch: Callable[[Tensor], None],
    *,
    enough: Tensor | None = None,  # (B,), the f(c) at which an image stops
    kick: bool = False,
    channel_axis: int = 1,  # of c, over which a length |c| runs; the batch stands before it
) -> Tensor:
    """The last c; ``watch`` is called with every iterate."""
    v, c, before = start, start, start
    for k in range(iterations):
        r = f.pointwise_gradient(c)
        if enough is not None:
            goes_on = 0.5 * r.square().flatten(1).sum(1) > enough
            if not bool(goes_on.any()):
                break
            r = r * goes_on.to(r).reshape(-1, *[1] * (r.ndim - 1))
        step = -f.A_adjoint(r)
        if kick and k:
            step = step * idle_steps(v, step, c - before, c, threshold, channel_axis)
        v, before = v + step, c
        c = delta * soft_threshold(v, threshold, channel_axis)
        watch(c)
    return c


def idle_steps(v: Tensor, step: Tensor, change: Tensor, c: Tensor, threshold: Tensor, channel_axis: int) -> Tensor:
    """The number of steps until the first zero of each image leaves zero; 1 for an image that does not stand still.

    |v + s step| passes the threshold t at the root s of |step|² s² + 2⟨v, step⟩ s + |v|² − t² = 0.
    """
    square, slope, gap = ((a * b).sum(channel_axis, keepdim=True) for a, b in ((step, step), (v, step), (v, v)))
    gap = threshold.square() - gap
    root = (-slope + (slope.square() + square * gap.clamp(min=0)).sqrt()) / square
    never = (length(c, channel_axis) > 0) | (square == 0) | (gap < 0)
    axes = [axis for axis in range(c.ndim) if axis != channel_axis - 1]
    first = root.masked_fill(never, torch.inf).amin(axes, keepdim=True).ceil()
    still = change.square().sum(axes, keepdim=True) <= STILL**2 * c.square().sum(axes, keepdim=True)
    return torch.where(still & first.isfinite() & (first > 1), first, 1)

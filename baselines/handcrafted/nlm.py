"""x̂_i = Σ_P Σ_Q w(P, Q) y_{Q+i−P} / Σ_P Σ_Q w(P, Q),   w(P, Q) = exp(−max(d² − 2σ², 0)/h²),   P ∋ i

Non-local means, patchwise: every patch P of the noisy y is estimated by the mean of the patches Q of its window, each
weighted by its mean squared distance d² to P, of which noise alone accounts for 2σ². A pixel i averages what all the
patches P around it say, by the weight that each has gathered. No patch size suits both texture and contours, so x̂ is
the mean over a few. All pairs P, Q at one distance are seen to at once: the image, shifted, against itself.

A. Buades, B. Coll, J.-M. Morel, A non-local algorithm for image denoising, CVPR 2005.
A. Buades, B. Coll, J.-M. Morel, Non-local means denoising, Image Processing On Line 2011 (patchwise, this w).
C.-A. Deledalle, V. Duval, J. Salmon, Non-local methods with shape-adaptive patches, J. Math. Imaging Vis. 2012 (the
uniform mean over patches of several sizes).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import pad

from baselines.solvers.plug_and_play import PlugAndPlay

SIDES = {2: (3, 5, 7), 3: (3,)}  # of the patches, by dimension; 27 voxels are as many as 5 x 5 pixels
RADIUS = {2: 8, 3: 3}  # of the window, by dimension
H = 0.5  # h/σ; with SIDES and RADIUS by a sweep on BSD400 (a tenth of it either way costs less than 0.05 dB)


class NLM(PlugAndPlay):
    """In 2D and 3D; real and imaginary part of a complex image one by one."""

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        return nlm(x, sigma)


def nlm(y: Tensor, sigma: Tensor) -> Tensor:
    """Images ``y`` (B, C, ...) without white noise of standard deviation ``sigma`` (B,), in the unit of y."""
    dims, shortest = y.ndim - 2, min(y.shape[2:])
    radius = min(RADIUS[dims], shortest // 4)  # a window is half of a small image
    estimates = [nlm_of_side(y, sigma, side, radius, H) for side in SIDES[dims]]
    return torch.stack(estimates).mean(0)


def nlm_of_side(
    y: Tensor,
    sigma: Tensor,
    side: int,  # of a patch: odd
    radius: int,  # of the window, which keeps inside the image
    h: float,  # in units of sigma
) -> Tensor:
    """With patches of one size. What they see beyond the border is the image mirrored."""
    reach, dims = side // 2, y.ndim - 2
    x = pad(y, (reach, reach) * dims, mode="reflect")
    sums = side**dims  # pixels of a patch: distances are sums here, not means
    sigma2 = sigma.reshape(-1, *(1 for _ in y.shape[1:])) ** 2
    bias, decay = 2 * sums * sigma2, -1 / (sums * h**2 * sigma2)
    seen = torch.stack([x, torch.ones_like(x)])  # beside the image a one, whose weighted sum is that of the weights
    sums = spread(torch.ones_like(y), side) * seen  # of Q = P
    for shift in half_window(radius, y.shape[2:]):
        p, q = apart(seen, shift)
        distance = box_sum((p[0] - q[0]).square_(), side)
        w = spread(distance.sub_(bias).clamp_(min=0).mul_(decay).exp_(), side)
        sums_p, sums_q = apart(sums, shift)
        sums_p.addcmul_(w, q)
        sums_q.addcmul_(w, p)
    for axis, n in enumerate(y.shape[2:], start=3):
        sums = sums.narrow(axis, reach, n)
    total, weight = sums
    return total / weight


def half_window(radius: int, shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The shifts of a window which some pair of pixels has: one of each t and −t, without 0."""
    spans = [range(-min(radius, n - 1), min(radius, n - 1) + 1) for n in shape]
    return (shift for shift in itertools.product(*spans) if shift > (0,) * len(shape))


def apart(x: Tensor, shift: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Views of all pixels p and p + ``shift`` that are both in ``x``, whose last axes are those of the shift."""
    p = q = x
    for axis, t in enumerate(shift, start=x.ndim - len(shift)):
        n = x.shape[axis] - abs(t)
        p, q = p.narrow(axis, max(-t, 0), n), q.narrow(axis, max(t, 0), n)
    return p, q


def spread(weight: Tensor, side: int) -> Tensor:
    """From each patch's centre to its pixels, which go beyond the border: sums over the patches around a pixel."""
    return box_sum(pad(weight, (side - 1, side - 1) * (weight.ndim - 2)), side)


def box_sum(x: Tensor, side: int) -> Tensor:
    """Sums over the boxes of ``side`` pixels a side that fit in ``x`` (B, C, ...), by doubling: log₂ side additions."""
    for axis in range(2, x.ndim):
        length = x.shape[axis] - side + 1
        total, offset, size = None, 0, 1  # x sums `size` pixels of the original
        while offset < side:
            if side & size:
                part = x.narrow(axis, offset, length)
                total = part if total is None else total + part
                offset += size
            if offset < side:
                n = x.shape[axis] - size
                x, size = x.narrow(axis, 0, n) + x.narrow(axis, size, n), 2 * size
        assert total is not None
        x = total
    return x

"""x̂_i = Σ_P Σ_Q w(P, Q) y_{Q+i−P} / Σ_P Σ_Q w(P, Q),   w(P, Q) = exp(−max(d² − 2σ², 0)/h²),   P ∋ i

Non-local means, patchwise. The estimate of a patch P of the noisy y is a weighted mean of the patches Q of its search
window. The weight falls with their mean squared distance d², of which noise alone makes 2σ². The estimate of a pixel i
averages the estimates of all patches P around it. No patch size suits both texture and contours, so x̂ is the mean over
several sizes. All pairs P, Q with the same offset are handled at once: the image against its shifted self.

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

# Set on BSD400, and RADIUS also on dead leaves: at σ from 15/255 to 50/255 a radius of 5 gains at most 0.05 dB, and 8
# loses 0.02 to 0.20 dB. At σ = 25/255 other H and SIDES gain at most 0.05 dB.
SIDES = {2: (3, 5, 7), 3: (3,)}  # of the patches, by dimension; 27 voxels are as many as 5 x 5 pixels
RADIUS = {2: 6, 3: 3}  # of the window, by dimension
H = 0.5  # h/σ


class NLM(PlugAndPlay):
    """Non-local means in 2D and 3D, of each channel by itself."""

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
    """`nlm` with patches of one size. The image is mirrored beyond its border."""
    reach, dims = side // 2, y.ndim - 2
    x = pad(y, (reach, reach) * dims, mode="reflect")
    sums = side**dims  # pixels of a patch: distances are sums here, not means
    sigma2 = sigma.reshape(-1, *(1 for _ in y.shape[1:])) ** 2
    bias, decay = 2 * sums * sigma2, -1 / (sums * h**2 * sigma2)
    seen = torch.stack([x, torch.ones_like(x)])  # the image, and ones that sum up the weights
    sums = spread(torch.ones_like(y), side) * seen  # the pair Q = P
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
    """The shifts within a window that fit in an image of that ``shape``: one of each t and −t, without 0."""
    spans = [range(-min(radius, n - 1), min(radius, n - 1) + 1) for n in shape]
    return (shift for shift in itertools.product(*spans) if shift > (0,) * len(shape))


def apart(x: Tensor, shift: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Views of all pixels p and p + ``shift`` that both lie in ``x``; the shift is along the last axes."""
    p = q = x
    for axis, t in enumerate(shift, start=x.ndim - len(shift)):
        n = x.shape[axis] - abs(t)
        p, q = p.narrow(axis, max(-t, 0), n), q.narrow(axis, max(t, 0), n)
    return p, q


def spread(weight: Tensor, side: int) -> Tensor:
    """The sum of the weights of all patches around each pixel, also of pixels beyond the border."""
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

"""min_X ½‖Y − X‖² + Σ_i w_i s_i(X),   w_i = C σ²/s_i(X),   hence s_i(X) = (s_i(Y) + √(s_i(Y)² − 4Cσ²))/2

Weighted nuclear norm minimisation: blocks that look alike, as the rows of a matrix Y less their mean, are of low rank
but for the noise. Singular values s_i(Y) ≤ 2σ√C are taken for noise and go; the others shrink the less the larger they
are. All estimates of a pixel are averaged. Then a part δ of what was taken out is put back, what noise is left is
estimated block by block, and all is done again, with fewer and fewer blocks in a group.

S. Gu, L. Zhang, W. Zuo, X. Feng, Weighted nuclear norm minimization with application to image denoising, CVPR 2014.
S. Gu, Q. Xie, D. Meng, W. Zuo, X. Feng, L. Zhang, Weighted nuclear norm minimization and its applications to low level
vision, IJCV 2017 (the closed form).
W. Dong, G. Shi, X. Li, Nonlocal image restoration with bilateral variance estimation, IEEE TIP 2013 (noise left, λ).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from baselines.patches.patch_groups import by_singular_values, collaborate, largest_of_noise, search
from baselines.patches.patches import patches
from baselines.solvers.plug_and_play import PlugAndPlay
from bench.contract.task import Track


class Setting(NamedTuple):
    """What Gu et al. use from some noise on."""

    side: int  # of a block
    group: int  # blocks in the first groups
    iterations: int


SETTINGS = {  # noise, for images of peak one, up to which
    20 / 255: Setting(6, 60, 8),
    40 / 255: Setting(7, 80, 12),
    60 / 255: Setting(8, 110, 14),
    float("inf"): Setting(9, 130, 14),
}
STEP, WINDOW = 3, 61  # of the grid of references, and side of the window of candidates
DELTA = 0.1  # δ
LAMBDA = 0.5  # λ, of 0.45 to 0.58 the best on training images at σ = 15/255 and 25/255
REMATCH, FEWER = 2, 10  # iterations between two searches, and by how many blocks groups shrink at each
WEIGHT = 2 * 2**0.5  # C/√n of groups of n: leaves some noise to the next iterations
TINY = 1e-6  # the least noise, over the largest grey value


class WNNM(PlugAndPlay):
    """Of each channel by itself. In a splitting it is the data term that feeds back, and one iteration a step does."""

    @classmethod
    def supports(cls, track: Track) -> str | None:
        return None if track.dims == 2 else "its blocks are 2D, and groups of 3D blocks are too large for an SVD each"

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        return wnnm(x, sigma)

    def denoise_once(self, x: Tensor, sigma: Tensor) -> Tensor:
        return wnnm(x, sigma, once=True)


def wnnm(
    y: Tensor,  # (B, 1, H, W), at least 9 x 9 pixels
    sigma: Tensor,  # (B,), the noise's standard deviation; only the choice of SETTINGS depends on the unit
    once: bool = False,  # all noise is to go in one iteration
) -> Tensor:
    """The images without their white Gaussian noise, (B, 1, H, W)."""
    images = []
    for image, level in zip(y[:, None], sigma, strict=True):  # one by one: an image does not depend on its batch
        setting = next(setting for noise, setting in SETTINGS.items() if float(level) <= noise)
        level = torch.maximum(level, TINY * image.abs().max()).clamp(min=torch.finfo(y.dtype).tiny)
        images.append(level * (in_one_pass if once else iterate)(image / level, *setting))
    return torch.cat(images)


def in_one_pass(y: Tensor, side: int, count: int, _: int) -> Tensor:
    """An image (1, 1, H, W) with noise of one; 2√C is the largest singular value of noise, √n + side."""
    index = search(y, side, count, STEP, WINDOW)
    C = largest_of_noise(index.shape[1], side) ** 2 / 4
    return average(y, index, side, torch.ones_like(patches(y[0, 0], side)[:, 0]), C)


def iterate(y: Tensor, side: int, count: int, iterations: int) -> Tensor:
    """An image (1, 1, H, W) with noise of one."""
    x, left = y, torch.ones_like(patches(y[0, 0], side)[:, 0])
    for k in range(iterations):
        x = x + DELTA * (y - x)
        if k > 0:
            left = LAMBDA * (1 - avg_pool2d((y - x).square(), side, 1).flatten()).abs().sqrt()
        if k % REMATCH == 0:
            index = search(x, side, count, STEP, WINDOW)
            count -= FEWER
        x = average(x, index, side, left, WEIGHT * index.shape[1] ** 0.5)
    return x


def average(x: Tensor, index: Tensor, side: int, sigma: Tensor, C: float) -> Tensor:
    """The mean of all estimates of an image (1, 1, H, W) from groups ``index``; ``sigma``: noise at each block (L,)."""
    return collaborate((x,), index, side, lambda members, Y: low_rank(Y, C * sigma[members[:, 0]] ** 2))


def low_rank(Y: Tensor, C: Tensor) -> Tensor:
    """The X of matrices ``Y`` (R, n, m), with Cσ² for each (R,)."""
    return by_singular_values(Y, lambda s: shrink(s, C[:, None]))


def shrink(s: Tensor, C: Tensor) -> Tensor:
    """The limit of x ← max(s − C/x, 0) from x = ``s``: what reweighting the nuclear norm again and again ends with."""
    return torch.where(s**2 > 4 * C, (s + (s**2 - 4 * C).clamp(min=0).sqrt()) / 2, 0.0)

"""min_X ½‖Y − X‖² + Σ_i w_i s_i(X),   w_i = C σ²/s_i(X),   hence s_i(X) = (s_i(Y) + √(s_i(Y)² − 4Cσ²))/2

Weighted nuclear norm minimisation: similar blocks, as the rows of a matrix Y without their mean, are a matrix of low
rank plus noise. Singular values s_i(Y) ≤ 2σ√C are taken for noise and become zero. Of the others, large ones shrink
less than small ones. All estimates of a pixel are averaged. Then a part δ of the residual is put back, the remaining
noise is estimated block by block, and the next iteration starts. Groups get smaller from search to search.

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
    """Constants of Gu et al. for a range of noise."""

    side: int  # of a block
    group: int  # blocks in the first groups
    iterations: int


SETTINGS = {  # by the largest noise of the range, for images of peak one
    20 / 255: Setting(6, 60, 8),
    40 / 255: Setting(7, 80, 12),
    60 / 255: Setting(8, 110, 14),
    float("inf"): Setting(9, 130, 14),
}
STEP, WINDOW = 3, 61  # of the grid of references, and side of the window of candidates
DELTA = 0.1  # δ
# λ. On four crops each of BSD400, dead leaves and photographs of scikit-image, at σ = 15/255 and 25/255, 0.45 is from
# 0.02 dB better to 0.12 dB worse, 0.58 from 0.06 to 0.16 dB worse.
LAMBDA = 0.5
REMATCH, FEWER = 2, 10  # iterations between two searches, and by how many blocks groups shrink at each
WEIGHT = 2 * 2**0.5  # C/√n for groups of n blocks; leaves some noise to the next iterations
TINY = 1e-6  # the smallest σ, over the largest grey value


class WNNM(PlugAndPlay):
    """WNNM of each channel by itself. In a splitting the data term feeds back, and one iteration a step is enough."""

    @classmethod
    def supports(cls, track: Track) -> str | None:
        return None if track.dims == 2 else "its blocks are 2D, and groups of 3D blocks are too large for an SVD each"

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        return wnnm(x, sigma)

    def denoise_once(self, x: Tensor, sigma: Tensor) -> Tensor:
        return wnnm(x, sigma, once=True)


def wnnm(
    y: Tensor,  # (B, 1, H, W), at least 9 x 9 pixels
    sigma: Tensor,  # (B,), standard deviation of the noise; only the choice of SETTINGS depends on the unit
    once: bool = False,  # whether one iteration removes all noise
) -> Tensor:
    """The images without their white Gaussian noise, (B, 1, H, W)."""
    images = []
    for image, level in zip(y[:, None], sigma, strict=True):  # one by one: an image does not depend on its batch
        setting = next(setting for noise, setting in SETTINGS.items() if float(level) <= noise)
        level = torch.maximum(level, TINY * image.abs().max()).clamp(min=torch.finfo(y.dtype).tiny)
        images.append(level * (in_one_pass if once else iterate)(image / level, *setting))
    return torch.cat(images)


def in_one_pass(y: Tensor, side: int, count: int, _: int) -> Tensor:
    """One iteration on an image (1, 1, H, W) with σ = 1; 2√C is the largest singular value of noise, √n + side."""
    index = search(y, side, count, STEP, WINDOW)
    C = largest_of_noise(index.shape[1], side) ** 2 / 4
    return average(y, index, side, torch.ones_like(patches(y[0, 0], side)[:, 0]), C)


def iterate(y: Tensor, side: int, count: int, iterations: int) -> Tensor:
    """All iterations on an image (1, 1, H, W) with σ = 1."""
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
    """The mean of all estimates of each pixel from groups ``index``; ``sigma`` (L,): noise of each block."""
    return collaborate((x,), index, side, lambda members, Y: low_rank(Y, C * sigma[members[:, 0]] ** 2))


def low_rank(Y: Tensor, C: Tensor) -> Tensor:
    """The minimisers X for matrices ``Y`` (R, n, m), with Cσ² of each, (R,)."""
    return by_singular_values(Y, lambda s: shrink(s, C[:, None]))


def shrink(s: Tensor, C: Tensor) -> Tensor:
    """The limit of x ← max(s − C/x, 0) from x = ``s``, that is of reweighting the nuclear norm again and again."""
    return torch.where(s**2 > 4 * C, (s + (s**2 - 4 * C).clamp(min=0).sqrt()) / 2, 0.0)

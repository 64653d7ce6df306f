"""Y = X + noise, X of low rank:   similar blocks as the rows of a matrix Y, without their mean

Low-rank methods share three steps. They find groups of n blocks of m = side² pixels, shrink the singular values of each
group, and take the mean of all estimates of a pixel.

A. Buades, B. Coll, J.-M. Morel, A non-local algorithm for image denoising, CVPR 2005 (self-similarity).
S. Gu, L. Zhang, W. Zuo, X. Feng, Weighted nuclear norm minimization with application to image denoising, CVPR 2014.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from baselines.chunks import Chunk
from baselines.patches.block_matching import accumulate, aggregate, candidates, match
from baselines.patches.patches import less_mean, patches

CHUNK = Chunk(cpu=2**19, elsewhere=2**26)  # pixels in the groups that are shrunk at once


def search(x: Tensor, side: int, count: int, step: int, window: int) -> Tensor:
    """Groups (R, n) of n = ``count`` blocks in an image (1, 1, H, W), or fewer where a window holds fewer."""
    return match(x, side, step, window, min(count, candidates(x, side, step, window)))[0][0]


def collaborate(
    images: tuple[Tensor, ...],  # (1, 1, H, W) each
    index: Tensor,  # (R, n)
    side: int,
    shrink: Callable[
        ..., Tensor
    ],  # maps members (R, n) and, for each image, their centred blocks (R, n, m) to estimates
) -> Tensor:
    """The mean of all estimates of each pixel, (1, 1, H, W); the first of ``images`` gives the means of the groups."""
    x, tables = images[0], [patches(image[0, 0], side) for image in images]
    total, weights = torch.zeros_like(tables[0]), torch.zeros_like(tables[0][:, 0])
    for members in index.split(CHUNK.count(x, index.shape[1] * side**2)):
        centred = [less_mean(table[members]) for table in tables]
        estimate = centred[0][1] + shrink(members, *(group for group, _ in centred))
        accumulate(total, members.flatten(), estimate.flatten(0, 1))
        accumulate(weights, members.flatten(), torch.ones_like(estimate[..., 0]).flatten())
    return aggregate(total.T[None], weights[None], (x.shape[2], x.shape[3]), torch.ones(side).to(x))


def by_singular_values(Y: Tensor, shrink: Callable[[Tensor], Tensor]) -> Tensor:
    """Matrices ``Y`` (R, n, m) with singular values ``shrink(s)`` for s, by the smaller of YYᵀ and YᵀY."""
    tall = Y.shape[1] > Y.shape[2]
    wide = Y.mT if tall else Y
    values, U = torch.linalg.eigh(wide @ wide.mT)
    s = values.clamp(min=torch.finfo(Y.dtype).tiny).sqrt()
    X = U @ ((shrink(s) / s)[..., None] * (U.mT @ wide))
    return X.mT if tall else X


def largest_of_noise(count: int, side: int) -> float:
    """√n + √m: the largest singular value of n blocks of white noise of variance one, for large n and m = side²."""
    return count**0.5 + side

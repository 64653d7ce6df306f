"""Y ≈ X of low rank:   blocks that look alike, as the rows of a matrix Y less their mean, differ by little but noise

What low-rank methods share: they find groups of n blocks of m = side² pixels, shrink the singular values of each, and
take for every pixel the mean of all its estimates.

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

CHUNK = Chunk(cpu=2**19, elsewhere=2**26)  # pixels in the groups that are shrunk


def search(x: Tensor, side: int, count: int, step: int, window: int) -> Tensor:
    """Groups (R, n) in an image (1, 1, H, W), of less than ``count`` blocks where a window holds less."""
    return match(x, side, step, window, min(count, candidates(x, side, step, window)))[0][0]


def collaborate(
    images: tuple[Tensor, ...],  # (1, 1, H, W) each
    index: Tensor,  # (R, n)
    side: int,
    shrink: Callable[..., Tensor],  # estimates from members (R, n) and their blocks less the mean (R, n, m), by image
) -> Tensor:
    """The mean of all estimates of an image (1, 1, H, W); the first of ``images`` gives the means of the groups."""
    x, tables = images[0], [patches(image[0, 0], side) for image in images]
    total, weights = torch.zeros_like(tables[0]), torch.zeros_like(tables[0][:, 0])
    for members in index.split(CHUNK.count(x, index.shape[1] * side**2)):
        centred = [less_mean(table[members]) for table in tables]
        estimate = centred[0][1] + shrink(members, *(group for group, _ in centred))
        accumulate(total, members.flatten(), estimate.flatten(0, 1))
        accumulate(weights, members.flatten(), torch.ones_like(estimate[..., 0]).flatten())
    return aggregate(total.T[None], weights[None], (x.shape[2], x.shape[3]), torch.ones(side).to(x))


def by_singular_values(Y: Tensor, shrink: Callable[[Tensor], Tensor]) -> Tensor:
    """Matrices ``Y`` (R, n, m) with other singular values; their vectors from the smaller of YYᵀ and YᵀY."""
    tall = Y.shape[1] > Y.shape[2]
    wide = Y.mT if tall else Y
    values, U = torch.linalg.eigh(wide @ wide.mT)
    s = values.clamp(min=torch.finfo(Y.dtype).tiny).sqrt()
    X = U @ ((shrink(s) / s)[..., None] * (U.mT @ wide))
    return X.mT if tall else X


def largest_of_noise(count: int, side: int) -> float:
    """√n + √m: the largest singular value of n blocks of white noise of variance one, where they are many."""
    return count**0.5 + side

"""v_jk = Σ_mn h_jm h_jn r_k(p_m − p_n):   the variance of white noise in the spectra of a group of overlapping blocks

Blocks that overlap share their noise. Hence the coefficients of a group have unequal variances, though both transforms
have rows of norm one. p_m is the place of block m, h the Haar transform along the group, and r_k the autocorrelation of
row k of the transform of a block. All is exact. As r_k is even along each axis, it is enough to count how often each
pair of absolute lags occurs between the two halves of the support of each Haar function.

Y. Mäkinen, L. Azzari, A. Foi, Collaborative filtering of correlated noise: exact transform-domain variance for improved
shrinkage and patch matching, IEEE TIP 2020.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from baselines.patches.block_matching import accumulate

LEAST = 1e-5  # is added to all variances: they are zero, or rounded below it, only if a group holds a block twice


class GroupNoise:
    """The variances of the coefficients of groups, for noise of variance one."""

    def __init__(
        self,
        transform: np.ndarray,  # (side, side), of rows and columns of a block
        count: int,  # N blocks in a group, a power of two
        across: int,  # places of blocks in a row of the image
        like: Tensor,  # gives type and device
    ) -> None:
        side = len(transform)
        m, n = np.triu_indices(count, 1)
        levels = np.frexp(m ^ n)[1]  # halvings from the single blocks to the Haar function that parts m from n
        rows = (count >> levels) + (m >> levels)
        lags = [(transform[:, : side - lag] * transform[:, lag:]).sum(1) for lag in range(side)]
        self.correlation = torch.from_numpy(np.kron(lags, lags)).to(like)  # (side², side²), lags by rows
        self.weights = torch.from_numpy(2 / 2.0**levels).to(like)  # |2 h_jm h_jn|, a power of two: sums are exact
        self.m, self.n, self.rows = (torch.from_numpy(t).to(like.device) for t in (m, n, rows.astype(np.int32)))
        self.count, self.side, self.across = count, side, across

    def __call__(self, members: Tensor) -> Tensor:
        """(N, groups, side²) for groups of ``members`` (N, groups), each block named by its place, row-major."""
        groups, lags = members.shape[1], len(self.correlation)
        members = members.int().contiguous()  # quick on a CPU
        row = members // self.across
        down, along = (
            place.index_select(0, self.m).sub_(place.index_select(0, self.n)).abs_()
            for place in (row, members - row * self.across)
        )
        overlap = torch.maximum(down, along).lt_(self.side)
        each = torch.arange(0, groups * lags, lags, dtype=torch.int32, device=members.device)
        found = down.mul_(self.side).add_(along).add_(self.rows[:, None] * (groups * lags)).mul_(overlap).add_(each)
        pairs = self.correlation.new_zeros(self.count * groups * lags)
        accumulate(pairs, found.flatten().long(), self.weights[:, None].expand_as(found).flatten())
        pairs = pairs.view(self.count, groups, lags)  # row 0 took those that do not overlap, and is written anew

        within = pairs.new_zeros(self.count, 1, lags)  # Σ_mn |h_jm h_jn| by lags, at first of single blocks
        within[..., 0] = 1 + LEAST  # each block with itself
        while len(within) > 1:
            n = len(within) // 2  # Haar functions of this level, which are rows n to 2n of the transform
            halves, between = within[0::2].lerp(within[1::2], 0.5), pairs[n : 2 * n]
            within = halves + between
            torch.sub(halves, between, out=between)
        pairs[0] = within[0]
        return (pairs.view(-1, lags) @ self.correlation).view(self.count, groups, -1)

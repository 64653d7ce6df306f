"""W_l = D_l P_l / √s,   D_lᵀD_l = 1,   hence WᵀW = PᵀP / s = 1:   tight frames whose filters are learned

P takes the windows of s = r x r pixels (or r x r x r) around all pixels, as columns; the rows of D are the filters.
Every pixel is in s windows, so W is tight for any orthogonal D. At its edges an image is mirrored (half-sample
symmetry). r is odd: then no window is its own mirror image, and one window of each mirrored pair is left out.

Given D, the minimiser v of ‖v − Wx‖² + λ²‖v‖_0 is Wx with all |c| ≤ λ set to zero. Given v, the minimiser D is UVᵀ,
with the singular vectors U, V of Σ v pᵀ over the windows p: an orthogonal Procrustes problem. A flat or a tiny image
leaves some filters undecided. The penalty ε‖D − D_before‖² keeps them as they were, and the objective still falls.

With several levels l the first filter of each level is the mean of a window and is not learned. Its output, a moving
average, is the image of the next level. There the pixels of a window stand r^{l−1} apart, so that their averages do not
overlap, and noise stays white in every window, with variance s^{1−l}. Thresholds fall with it, and a little faster.

J.-F. Cai, H. Ji, Z. Shen, G.-B. Ye, Data-driven tight frame construction and image denoising, ACHA 2014.
P. Schönemann, A generalized solution of the orthogonal Procrustes problem, Psychometrika 1966.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from math import prod

import numpy as np
import torch
from scipy.fft import dct
from torch import Tensor
from torch.nn.functional import hardshrink

from baselines.chunks import Chunk
from baselines.transforms.framelets import mirror

# Threshold over noise at a level, divided by the same at the level before. Of 0.3 to 1, 0.5 to 0.7 is best for 5 x 5
# pixels on three validation images of BSD400, at σ = 25/255 and 50/255, and at σ = 25/255 within 0.02 dB of the best of
# 0.4 to 0.8 on dead leaves and on photographs of scikit-image.
COARSER = 0.6
INERTIA = 1e-2  # ε, in coefficients at the threshold for each pixel; with less, rounding moves undecided filters
CHUNK = Chunk(cpu=2**20, elsewhere=2**26)  # pixels in the windows of one part


class TightFrame:
    """W, which starts as the cosine transform. Images (H, W) or (D, H, W), of any size, come one by one.

    ``levels`` = 0: there is one level, and all s filters are learned. ``threshold`` is λ√s, a threshold of Dp, in which
    white noise has the same standard deviation as in the image. Raises ValueError for an even ``side``.
    """

    def __init__(self, start: Tensor, side: int, levels: int = 0) -> None:
        if side % 2 == 0:
            raise ValueError(f"windows of {side} pixels a side have no centre: the side must be odd")
        self.side = side
        self.kept = int(levels > 0)
        self.free = start[self.kept :]  # a basis of the space of the learned filters
        self.filters = [start] * max(levels, 1)  # D of each level, (s, s)

    def learn(self, x: Tensor, threshold: float) -> Tensor:
        """Updates v, then D, at every level. Returns ‖v − Wx‖² + λ²‖v‖_0 of the learned filters, ()."""
        objective = x.new_zeros(())
        for level, (D, shrinkage) in enumerate(zip(self.filters, self.thresholds(threshold), strict=True)):
            if level:
                x = mean(x, self.side, self.side ** (level - 1))
            moment, norms = thresholded_moment(D[self.kept :], x, self.side, self.side**level, shrinkage)
            inertia = INERTIA * shrinkage**2 * x.numel()
            learned = procrustes((moment + inertia * D[self.kept :]) @ self.free.T) @ self.free
            self.filters[level] = torch.cat([D[: self.kept], learned])
            objective += (norms - 2 * (learned * moment).sum()) / len(D)
        return objective

    def restore(self, x: Tensor, threshold: float) -> Tensor:
        """Wᵀv of an image, with its thresholded coefficients v."""
        return self.restore_from(0, x, self.thresholds(threshold))

    def restore_from(self, level: int, x: Tensor, thresholds: list[float]) -> Tensor:
        D, spacing = self.filters[level], self.side**level
        if self.kept:
            low = mean(x, self.side, spacing)
            if level + 1 < len(self.filters):
                low = self.restore_from(level + 1, low, thresholds)
        total = torch.zeros_like(extend(x, self.side, spacing))
        for rows, p in windows(x, self.side, spacing):
            v = hardshrink(D @ p, thresholds[level])
            if self.kept:
                v[0] = low[rows].flatten() * len(D) ** 0.5
            add_windows(total, rows, D.T @ v, self.side, spacing)
        return extend_adjoint(total, x.shape, self.side, spacing) / len(D)

    def thresholds(self, threshold: float) -> list[float]:
        ratio = COARSER / len(self.free[0]) ** 0.5
        return [threshold * ratio**level for level in range(len(self.filters))]


def thresholded_moment(D: Tensor, x: Tensor, side: int, spacing: int, threshold: float) -> tuple[Tensor, Tensor]:
    """Σ v pᵀ over the windows of an image, (filters, s), and Σ ‖Dp‖² + ‖v‖² + λ²‖v‖_0, ()."""
    moment, norms = torch.zeros_like(D), x.new_zeros(())
    for _, p in windows(x, side, spacing):
        c = D @ p
        v = hardshrink(c, threshold)
        moment += v @ p.T
        norms += c.square().sum() + v.square().sum() + threshold**2 * v.count_nonzero().to(x)
    return moment, norms


def procrustes(moment: Tensor) -> Tensor:
    """The orthogonal Q of largest ⟨Q, M⟩, found in double precision, so that Q is orthogonal in the precision of M."""
    U, _, Vh = torch.linalg.svd(moment.double())
    return (U @ Vh).to(moment)


def cosines(side: int, dims: int) -> Tensor:
    """The orthogonal cosine transform of windows, the constant first: (s, s)."""
    line = torch.from_numpy(dct(np.eye(side), axis=0, norm="ortho"))
    return reduce(torch.kron, [line] * dims)


def windows(x: Tensor, side: int, spacing: int) -> Iterator[tuple[slice, Tensor]]:
    """P in parts: a few rows of pixels, and the windows around their pixels, (s, n)."""
    extended = extend(x, side, spacing)
    strides, size = extended.stride(), side**x.ndim
    step = CHUNK.count(x, size * prod(x.shape[1:]))
    for start in range(0, len(x), step):
        rows = slice(start, min(start + step, len(x)))
        shape = [side] * x.ndim + [rows.stop - start, *x.shape[1:]]
        view = extended[start:].as_strided(shape, [spacing * n for n in strides] + list(strides))
        yield rows, view.reshape(size, -1)


def add_windows(total: Tensor, rows: slice, p: Tensor, side: int, spacing: int) -> None:
    """The adjoint of `windows`: adds windows (s, n) of some rows to an extended image."""
    shape = [rows.stop - rows.start, *(n - (side - 1) * spacing for n in total.shape[1:])]
    for offsets, plane in zip(np.ndindex(*[side] * total.ndim), p.unflatten(1, shape), strict=True):
        place = [slice(spacing * k, spacing * k + n) for k, n in zip(offsets, shape, strict=True)]
        total[rows.start :][tuple(place)] += plane


def mean(x: Tensor, side: int, spacing: int) -> Tensor:
    """The mean of the window around each pixel, of the shape of x."""
    shape, x = x.shape, extend(x, side, spacing)
    for axis, n in enumerate(shape):
        x = torch.stack([x.narrow(axis, spacing * k, n) for k in range(side)]).mean(0)
    return x


def extend(x: Tensor, side: int, spacing: int) -> Tensor:
    """The image, mirrored as far as its windows reach beyond its edges."""
    for axis, n in enumerate(x.shape):
        x = x.index_select(axis, mirror(n, side - 1, spacing).to(x.device))
    return x


def extend_adjoint(x: Tensor, shape: torch.Size, side: int, spacing: int) -> Tensor:
    """The adjoint of `extend`, an image of that ``shape``."""
    for axis, n in enumerate(shape):
        folded = x.new_zeros([*x.shape[:axis], n, *x.shape[axis + 1 :]])
        x = folded.index_add_(axis, mirror(n, side - 1, spacing).to(x.device), x)
    return x

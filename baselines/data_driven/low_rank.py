"""min_{x,L} ½‖Ax − y‖²/‖A‖² + ν Σ_i (½‖R_i x − L_i‖² + C Σ_j log(s_j(L_i) + ε))

Non-local low-rank regularisation. R_i x is a matrix whose rows are the blocks similar to block i, without their mean.
Each group learns a basis of its own, the singular vectors of L_i. The log determinant is closer to the rank than the
nuclear norm, and hardly shrinks the singular values s_j that it keeps. With x fixed the minimiser has a closed form.

- For known white noise, L_i is found from the noisy image, and the estimates of all blocks are averaged. This image
  gives better groups, their basis U, and the variance θ_j² along each basis vector. The second estimate is the
  Wiener filter U diag(θ_j²/(θ_j² + σ²)) Uᵀ of the noisy blocks.
- Elsewhere x and L_i alternate (`baselines.solvers.plug_and_play`), and groups are kept for a few steps. There all
  pixels have the same weight, in however many blocks they are.

`wnnm` reweights a nuclear norm in eight iterations or more, each of which puts some noise back. Here the penalty itself
is minimised, which loses less of the kept singular values, and two passes are enough.

W. Dong, G. Shi, X. Li, Y. Ma, F. Huang, Compressive sensing via nonlocal low-rank regularization, IEEE TIP 2014.
W. Dong, G. Shi, X. Li, Nonlocal image restoration with bilateral variance estimation, IEEE TIP 2013 (θ_j²).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor

from baselines.patches.patch_groups import by_singular_values, collaborate, largest_of_noise, search
from baselines.patches.patches import less_mean, patches
from baselines.solvers.plug_and_play import Denoiser, PlugAndPlay
from bench.contract.operators import direct
from bench.contract.task import Track


class Grouping(NamedTuple):
    side: int  # of a block
    group: int  # blocks in one
    step: int  # of the grid of references
    window: int  # side of the window of candidates


# Checked at σ = 25/255 on crops of BSD400, dead leaves and photographs of scikit-image: 6 or 8 pixels a side and 50 to
# 80 blocks gain at most 0.02 dB, another penalty at most 0.05 dB, half of ε 0.01 dB.
ALONE = Grouping(7, 60, 4, 39)  # for known noise
ITERATED = Grouping(6, 45, 5, 25)  # inside of a splitting, set by hand for speed
PENALTY = 1 / 8  # C over (√n + √m)²σ², which removes noise: s_j below 0.88 (√n + √m)σ become zero
EPSILON = 0.1  # ε/√C
REMATCH = 3  # steps of a splitting between two searches; set by hand
TINY = 1e-6  # the smallest σ, over the largest grey value


class LowRank(PlugAndPlay):
    """Low-rank regularisation of each channel by itself. ``sigma``, ``start``: as in `PlugAndPlay`."""

    def __init__(self, sigma: float = 0.02, start: float = 0.3, iterations: int | None = None) -> None:
        super().__init__(sigma, start, iterations)

    @classmethod
    def supports(cls, track: Track) -> str | None:
        return None if track.dims == 2 else "its blocks are 2D, and groups of 3D blocks are too large for an SVD each"

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        return torch.cat([in_two_passes(image, level) for image, level in zip(x[:, None], sigma, strict=True)])

    def begin(self) -> Denoiser:
        return Alternation()

    @torch.no_grad()
    def atoms(self, y: Tensor, physics: LinearPhysics) -> Mapping[str, Tensor]:
        """The basis of the group of highest contrast in the direct reconstruction, in the order of falling s_j."""
        x, side = direct(y, physics)[:1, :1], ALONE.side
        groups, _ = less_mean(patches(x[0, 0], side)[search(x, *ALONE)])
        Y = groups[groups.square().sum((1, 2)).argmax()]
        return {"basis of a group": torch.linalg.eigh(Y.T @ Y)[1].T.flip(0).unflatten(1, (side, side))}


class Alternation:
    """The denoiser of one splitting, which keeps its groups for `REMATCH` steps."""

    def __init__(self) -> None:
        self.calls = 0
        self.groups: list[Tensor] = []  # one tensor for each image

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        images = x[:, None]
        if self.calls % REMATCH == 0:
            self.groups = [search(image, *ITERATED) for image in images]
        self.calls += 1
        found = zip(images, self.groups, noise(x, sigma), strict=True)
        return torch.cat([first_pass(image, index, ITERATED.side, level) for image, index, level in found])


def in_two_passes(y: Tensor, sigma: Tensor) -> Tensor:
    """An image (1, 1, H, W), denoised, for white noise of standard deviation ``sigma``."""
    sigma = noise(y, sigma)[0]
    x = first_pass(y, search(y, *ALONE), ALONE.side, sigma)
    return collaborate((y, x), search(x, *ALONE), ALONE.side, lambda _, Y, X: wiener(Y, X, sigma**2))


def noise(x: Tensor, sigma: Tensor) -> Tensor:
    """``sigma`` of each image (B,), at least a tiny positive number."""
    least = TINY * x.abs().amax((1, 2, 3))
    return torch.maximum(sigma, least).clamp(min=torch.finfo(x.dtype).tiny ** 0.25)


def first_pass(y: Tensor, index: Tensor, side: int, sigma: Tensor) -> Tensor:
    """The average of the L_i of groups ``index`` in an image (1, 1, H, W)."""
    C = PENALTY * (largest_of_noise(index.shape[1], side) * sigma) ** 2
    return collaborate((y,), index, side, lambda _, Y: by_singular_values(Y, lambda s: shrink(s, C)))


def shrink(s: Tensor, C: Tensor) -> Tensor:
    """argmin_x ½(s − x)² + C log(x + ε) over x ≥ 0: zero or the larger root of the derivative."""
    epsilon = EPSILON * C.sqrt()
    discriminant = (s + epsilon) ** 2 - 4 * C
    x = ((s - epsilon + discriminant.clamp(min=0).sqrt()) / 2).clamp(min=0)
    gain = 0.5 * s**2 - 0.5 * (s - x) ** 2 - C * (x / epsilon).log1p()
    return torch.where((discriminant > 0) & (gain > 0), x, 0.0)


def wiener(Y: Tensor, X: Tensor, variance: Tensor) -> Tensor:
    """Matrices ``Y`` (R, n, m) filtered in the basis of ``X``, whose variances stand for the signal's."""
    values, U = torch.linalg.eigh(X.mT @ X)
    power = values.clamp(min=0) / Y.shape[1]
    return (Y @ U * (power / (power + variance))[:, None]) @ U.mT

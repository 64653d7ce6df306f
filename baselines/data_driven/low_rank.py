"""min_{x,L} ½‖Ax − y‖²/‖A‖² + ν Σ_i (½‖R_i x − L_i‖² + C Σ_j log(s_j(L_i) + ε))

Non-local low-rank regularisation. R_i x are the blocks that look like block i, less their mean, as the rows of a
matrix. Each group learns a basis of its own from them: the singular vectors of L_i. log det, nearer to the rank than
the nuclear norm is, hardly shrinks the singular values s_j that it keeps. With x fixed the minimiser is closed form.

- Known white noise: L_i is found for the noisy image, and the blocks' estimates are averaged. That image gives better
  groups, their basis U and the variance θ_j² along each of its vectors, for a second estimate: the Wiener filter
  U diag(θ_j²/(θ_j² + σ²)) Uᵀ of the noisy blocks.
- Elsewhere x and L_i alternate (`baselines.solvers.plug_and_play`), and groups stay for a few steps. To x all pixels
are the   same, in however many blocks they are.

Unlike `wnnm`, which reweights a nuclear norm until it stops, in eight iterations or more that put some noise back: here
the penalty itself is minimised, zero or not, so less of what is kept is lost, and two passes do.

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


ALONE = Grouping(7, 60, 4, 39)  # to remove known noise; 6 and 8 pixels a side, 70 and 80 blocks are no better
ITERATED = Grouping(6, 45, 5, 25)  # within a splitting
PENALTY = 1 / 8  # C over (√n + √m)²σ²: what noise has, s_j below 0.88 (√n + √m)σ, goes
EPSILON = 0.1  # ε/√C
REMATCH = 3  # steps of a splitting between two searches
TINY = 1e-6  # the least noise, over the largest grey value


class LowRank(PlugAndPlay):
    """Of each channel by itself. ``sigma``, ``start``: as in `PlugAndPlay`."""

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
        """The basis of the group with the highest contrast in the direct reconstruction, its largest s_j first."""
        x, side = direct(y, physics)[:1, :1], ALONE.side
        groups, _ = less_mean(patches(x[0, 0], side)[search(x, *ALONE)])
        Y = groups[groups.square().sum((1, 2)).argmax()]
        return {"basis of a group": torch.linalg.eigh(Y.T @ Y)[1].T.flip(0).unflatten(1, (side, side))}


class Alternation:
    """The denoiser of one splitting."""

    def __init__(self) -> None:
        self.calls = 0
        self.groups: list[Tensor] = []  # of each image

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        images = x[:, None]
        if self.calls % REMATCH == 0:
            self.groups = [search(image, *ITERATED) for image in images]
        self.calls += 1
        found = zip(images, self.groups, noise(x, sigma), strict=True)
        return torch.cat([first_pass(image, index, ITERATED.side, level) for image, index, level in found])


def in_two_passes(y: Tensor, sigma: Tensor) -> Tensor:
    """An image (1, 1, H, W) without white noise of standard deviation ``sigma``."""
    sigma = noise(y, sigma)[0]
    x = first_pass(y, search(y, *ALONE), ALONE.side, sigma)
    return collaborate((y, x), search(x, *ALONE), ALONE.side, lambda _, Y, X: wiener(Y, X, sigma**2))


def noise(x: Tensor, sigma: Tensor) -> Tensor:
    """The noise of each image (B,), never quite zero."""
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
    """Matrices ``Y`` (R, n, m) filtered in the basis of ``X``, whose variances are those of the signal."""
    values, U = torch.linalg.eigh(X.mT @ X)
    power = values.clamp(min=0) / Y.shape[1]
    return (Y @ U * (power / (power + variance))[:, None]) @ U.mT

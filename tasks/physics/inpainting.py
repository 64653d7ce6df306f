"""Inpainting: ``y = m · x`` with a mask ``m`` of zeros and ones.

x, y: (B, C, H, W); m: (B, 1, H, W) or (B, C, H, W).
"""

from __future__ import annotations

import deepinv.physics
import torch
from deepinv.physics import ZeroNoise
from deepinv.physics.noise import NoiseModel
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

TOLERANCE = 1e-4  # relative residual of the harmonic interpolation
ITERATIONS = 500
LOOK_EVERY = 8  # iterations between looks at the residual on a GPU, each of which waits for it


class Inpainting(deepinv.physics.Inpainting):
    """deepinv's operator (adjoint, ``prox_l2`` and pseudo-inverse in closed form) with interpolation as ``direct``."""

    operator_norm = 1.0

    def __init__(self, mask: Tensor, noise_model: NoiseModel | None = None, device: torch.device | str = "cpu"):
        if mask.ndim != 4:
            raise ValueError(f"expected a mask (B, 1, H, W) or (B, C, H, W), got {tuple(mask.shape)}")
        super().__init__(
            img_size=tuple(mask.shape[1:]), mask=mask, noise_model=noise_model or ZeroNoise(), device=device
        )

    def direct(self, y: Tensor) -> Tensor:
        """Harmonic interpolation of the unknown pixels; the known ones stay as measured."""
        return harmonic(y, self.mask.expand_as(y))


def harmonic(y: Tensor, mask: Tensor) -> Tensor:
    """Solves Laplace's equation where ``mask`` is 0 with ``y`` where it is 1 and no flux through the image's border.

    Five-point stencil, conjugate gradients from `pull_push`. T. F. Chan and J. Shen, Mathematical Models for Local
    Nontexture Inpaintings, SIAM J. Appl. Math. 62(3), 2002.
    """
    known = mask > 0
    x = pull_push(y, known)
    residual = torch.where(known, 0, _laplacian(x))
    direction = residual
    square = _dot(residual, residual)
    enough = TOLERANCE**2 * square
    look_every = 1 if y.is_cpu else LOOK_EVERY
    for iteration in range(ITERATIONS):
        active = square > enough
        if iteration % look_every == 0 and not active.any():
            break
        applied = torch.where(known, 0, -_laplacian(direction))
        # An image that has converged is left alone, so that its result does not depend on the rest of the batch.
        step = torch.where(active, square / _dot(direction, applied), 0)
        x = x + step * direction
        residual = residual - step * applied
        last, square = square, torch.where(active, _dot(residual, residual), square)
        direction = residual + torch.where(active, square / last, 0) * direction
    return x


def pull_push(y: Tensor, known: Tensor) -> Tensor:
    """Fills the unknown pixels from means of the known ones at ever coarser scales.

    S. J. Gortler et al., The Lumigraph, SIGGRAPH 1996, sec. 3.4.
    """
    if y.is_cpu and known.all():  # elsewhere it would be waited for
        return y
    if min(y.shape[-2:]) == 1:
        weight = known.to(y)
        mean = (weight * y).sum((-2, -1), keepdim=True) / weight.sum((-2, -1), keepdim=True).clamp(min=1)
        return torch.where(known, y, mean)
    share = avg_pool2d(known.to(y), 2, ceil_mode=True)
    mean = avg_pool2d(known * y, 2, ceil_mode=True) / torch.where(share > 0, share, 1)
    coarse = pull_push(mean, share > 0)
    return torch.where(known, y, interpolate(coarse, size=y.shape[-2:], mode="bilinear", align_corners=False))


def _laplacian(x: Tensor) -> Tensor:
    down, right = x.diff(dim=-2), x.diff(dim=-1)
    pad = torch.nn.functional.pad
    return pad(down, (0, 0, 0, 1)) - pad(down, (0, 0, 1, 0)) + pad(right, (0, 1)) - pad(right, (1, 0))


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((-2, -1), keepdim=True)

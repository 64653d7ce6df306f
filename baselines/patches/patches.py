"""R_i x, the patch of n^d pixels at place i of an image x,   and   Σ_i R_iᵀ p_i / Σ_i R_iᵀR_i, the average of patches

Images (H, W) or (D, H, W) come one by one. A patch is a row; rows are in the order of the patches' first pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor

from baselines.chunks import Chunk

SLAB = Chunk(cpu=2**14, elsewhere=2**20)  # patches that are restored at once


def windows(image: Tensor, side: int) -> Tensor:
    """A view of all patches, (H − side + 1, W − side + 1, side, side), and likewise in 3D."""
    for axis in range(image.ndim):
        image = image.unfold(axis, side, 1)
    return image


def patches(image: Tensor, side: int) -> Tensor:
    """All patches of an image, (N, side^d)."""
    return windows(image, side).reshape(-1, side**image.ndim)


def some_patches(image: Tensor, side: int, count: int) -> Tensor:
    """At most ``count`` random patches, (M, side^d); the same places in all images of one shape."""
    view = windows(image, side)
    places = view.shape[: image.ndim]
    drawn = torch.randperm(places.numel(), generator=torch.Generator().manual_seed(0))[:count].sort().values
    return view[torch.unravel_index(drawn.to(image.device), places)].reshape(-1, side**image.ndim)


def add_up(image: Tensor, side: int, restore: Callable[[Tensor], Tensor]) -> Tensor:
    """The image Σ_i R_iᵀ p_i of the patches p = ``restore(R x)``, which maps (N, side^d) to the same shape."""
    total = torch.zeros_like(image)
    rows = len(image) - side + 1
    layer = windows(image[:side], side).shape[: image.ndim].numel()
    each = SLAB.count(image, layer)
    for first in range(0, rows, each):
        slab = image[first : min(first + each, rows) + side - 1]
        restored = restore(patches(slab, side)).T.contiguous()
        places = tuple(n - side + 1 for n in slab.shape)
        for values, corner in zip(restored.view(-1, *places), product(range(side), repeat=image.ndim), strict=True):
            start = (first + corner[0], *corner[1:])
            total[tuple(slice(i, i + n) for i, n in zip(start, places, strict=True))] += values
    return total


def less_mean(x: Tensor, axis: int = 1) -> tuple[Tensor, Tensor]:
    """``x`` without its means along ``axis``, and these means."""
    mean = x.mean(axis, keepdim=True)
    return x - mean, mean


def pictures(rows: Tensor, side: int) -> Tensor:
    """Patches, one a row, as images (N, side, side); of patches in 3D the middle slices."""
    slices = rows.reshape(len(rows), -1, side, side)
    return slices[:, slices.shape[1] // 2]


def cover(image: Tensor, side: int) -> Tensor:
    """Σ_i R_iᵀR_i: the number of patches that hold each pixel of the image."""
    total = image.new_ones(())
    for n in image.shape:
        place = torch.arange(n, device=image.device)
        total = total[..., None] * torch.minimum(place + 1, n - place).clamp(max=min(side, n - side + 1))
    return total

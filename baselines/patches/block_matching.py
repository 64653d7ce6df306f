"""d(P, Q) = ‖Z_P − Z_Q‖²:   for each reference block P on a grid, the most similar blocks Q of a search window

Blocks are square. A block is named by its place in `torch.nn.functional.unfold`: row-major among the (H − side + 1)
(W − side + 1) positions of its upper left corner. The distances of a tile of references come from one matrix product,
as ‖Z_P‖² + ‖Z_Q‖² − 2⟨Z_P, Z_Q⟩.

K. Dabov, A. Foi, V. Katkovnik, K. Egiazarian, Image denoising by sparse 3-D transform-domain collaborative filtering,
IEEE TIP 2007.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, fold, pad

from baselines.chunks import Chunk
from baselines.patches.smallest import smallest

TILE = 8  # references a side that share a matrix product; on a CPU 4, 6 and 10 are no faster
CHUNK = Chunk(cpu=4, elsewhere=2**8)  # tiles that are compared at once
IMAGES = Chunk(cpu=1, elsewhere=8)  # images that are searched at once


def match(
    image: Tensor,  # (B, 1, H, W)
    side: int,  # of a block, pixels
    step: int,  # of the grid of references, which also has the last row and column of blocks
    window: int,  # side of the window of candidates, odd, centred on the reference
    count: int,  # N, at most window²
) -> tuple[Tensor, Tensor]:
    """The N most similar blocks of each reference, and their squared distances, two times (B, R, N).

    The reference comes first, the most similar block next. Where a window holds fewer than N blocks, the reference
    stands in their places, at an infinite distance. Raises ValueError where no block fits in the image.
    """
    if min(image.shape[2:]) < side:
        raise ValueError(f"no block of {side} x {side} pixels fits in images of {tuple(image.shape[2:])}: pad them")
    parts = image[:, 0].split(IMAGES.count(image))
    found = [match_together(part, side, step, window, count) for part in parts]
    return torch.cat([index for index, _ in found]), torch.cat([distance for _, distance in found])


def match_together(images: Tensor, side: int, step: int, window: int, count: int) -> tuple[Tensor, Tensor]:
    """`match` in images (B, H, W)."""
    # Distances do not depend on the mean, and are more precise without it.
    images = images - images.mean((1, 2), keepdim=True)
    down, across = (Axis(n - side + 1, step, window, images.device) for n in images.shape[1:])
    norms = side**2 * avg_pool2d(images.square(), side, 1)
    product, place = search(images, norms, side, step, window, count, down, across)

    distance = (product + norms[:, down.place][:, :, across.place, None]).clamp(min=0)
    row = down.nominal[:, None, None] - window // 2 + place // window
    column = across.nominal[:, None] - window // 2 + place % window
    own = down.place[:, None, None] * across.length + across.place[:, None]
    index = torch.where(distance.isinf(), own, row * across.length + column)
    index, distance = (t[:, : down.count, : across.count].flatten(1, 2) for t in (index, distance))
    return index, distance


class Axis:
    """The grid of references along an axis with ``length`` positions of blocks, continued to whole tiles.

    Beyond the end, the last reference is repeated, while its window moves on with the ``nominal`` grid.
    """

    def __init__(self, length: int, step: int, window: int, device: torch.device) -> None:
        radius = window // 2
        self.length = length
        self.count = -(-(length - 1) // step) + 1
        self.tiles = -(-self.count // TILE)
        self.nominal = torch.arange(0, self.tiles * TILE * step, step, device=device)
        self.place = self.nominal.clamp(max=length - 1)
        self.own = (self.place - self.nominal + radius).clamp(min=0)  # place of the reference in its window
        self.border = (radius, (self.tiles * TILE - 1) * step + 1 + radius - length)


def search(
    images: Tensor, norms: Tensor, side: int, step: int, window: int, count: int, down: Axis, across: Axis
) -> tuple[Tensor, Tensor]:
    """The N least ‖Z_Q‖² − 2⟨Z_P, Z_Q⟩ of each reference, and the places of Q in its window: (B, rows, columns, N)."""
    grid = (len(images), down.tiles, TILE, across.tiles, TILE)
    references = images.unfold(1, side, 1).unfold(2, side, 1)[:, down.place][:, :, across.place]
    references = references.reshape(*grid, side**2).transpose(2, 3).flatten(3, 4).flatten(0, 2)
    own = (down.own[:, None] * window + across.own).view(1, *grid[1:], 1).transpose(2, 3)
    own = own.expand(len(images), *own.shape[1:]).flatten(0, 2)
    border, stride, span = (*across.border, *down.border), TILE * step, (TILE - 1) * step + window

    def areas(maps: Tensor, size: int) -> Tensor:
        """What all references of a tile may be compared with, (tiles, size, size)."""
        return maps.unfold(1, size, stride).unfold(2, size, stride).flatten(0, 2)

    around = areas(pad(images, border), span + side - 1)
    blocks = around.unfold(1, span, 1).unfold(2, span, 1)
    squares = areas(pad(norms, border, value=torch.inf), span)
    # From the products of a whole tile, those of the window of each reference.
    strides = (TILE**2 * span**2, TILE * span**2 + step * span, span**2 + step, span, 1)
    best = []
    parts = zip(*(t.split(CHUNK.count(images)) for t in (references, own, blocks, squares)), strict=True)
    for Z_P, itself, Z_Q, Z_Q_norm in parts:
        product = torch.baddbmm(Z_Q_norm.reshape(-1, 1, span**2), Z_P, Z_Q.reshape(-1, side**2, span**2), alpha=-2)
        product = product.as_strided((len(Z_P), TILE, TILE, window, window), strides)
        best.append(smallest(product.flatten(3).scatter_(3, itself, -torch.inf), count))
    tiles = (len(images), down.tiles, across.tiles, TILE, TILE, count)
    product, place = (
        torch.cat(t).view(tiles).transpose(2, 3).flatten(3, 4).flatten(1, 2) for t in zip(*best, strict=True)
    )
    return product, place


def candidates(image: Tensor, side: int, step: int, window: int) -> int:
    """The number of blocks in the smallest search window of an image (..., H, W), in its corner."""
    rows, columns = (min(n - side + 1, window // 2 - step) for n in image.shape[-2:])
    return rows * columns


def accumulate(table: Tensor, index: Tensor, rows: Tensor) -> None:
    """Adds ``rows`` (n, ...) to the rows ``index`` (n,) of ``table`` (L, ...), in place and in a fixed order."""
    if table.is_cuda:  # where index_add_ adds in any order
        table.index_put_((index,), rows, accumulate=True)
    else:
        table.index_add_(0, index, rows)


def aggregate(
    total: Tensor,  # (B, side², L): at each position, the sum of estimates times their weights times the window
    weight: Tensor,  # (B, L): the sum of the weights
    shape: tuple[int, int],  # (H, W)
    window: Tensor,  # (side,): the weight of a pixel within a block, by its row times by its column
) -> Tensor:
    """Images (B, 1, H, W): at each pixel the weighted mean of all its estimates."""
    (height, width), side = shape, len(window)
    by_row = fold(weight[:, None] * window[:, None], (height, width - side + 1), (side, 1))
    denominator = fold(by_row.flatten(2) * window[:, None], shape, (1, side))
    return fold(total, shape, side).div_(denominator)

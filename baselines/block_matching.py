"""d(P, Q) = ‖Z_P − Z_Q‖²: of each reference block on a grid, the blocks of a search window that are most like it.

Blocks are square. A block is named by its place in `torch.nn.functional.unfold`: row-major among the (H − side + 1)
(W − side + 1) positions of its upper left corner. The distances of a tile of references come from one matrix product,
as ‖Z_P‖² + ‖Z_Q‖² − 2⟨Z_P, Z_Q⟩.

K. Dabov, A. Foi, V. Katkovnik, K. Egiazarian, Image denoising by sparse 3-D transform-domain collaborative filtering,
IEEE TIP 2007.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv_transpose2d, fold, pad

TILE = 8  # references a side that share a product: on a CPU 4, 6 and 10 are no faster


def match(
    image: Tensor,  # (B, 1, H, W)
    side: int,  # of a block, pixels
    step: int,  # of the grid of references, which also has the last row and column of blocks
    window: int,  # side of the window of candidates, odd, centred on the reference
    count: int,  # N, at most window²
) -> tuple[Tensor, Tensor]:
    """The N most similar blocks of each reference, and their squared distances, two times (B, R, N).

    The reference comes first, the most similar next. Where a window holds less than N blocks, the reference fills up,
    infinitely far. Raises ValueError where no block fits in the image.
    """
    if min(image.shape[2:]) < side:
        raise ValueError(f"no block of {side} x {side} pixels fits in images of {tuple(image.shape[2:])}: pad them")
    found = [match_in(single, side, step, window, count) for single in image[:, 0]]
    return torch.stack([index for index, _ in found]), torch.stack([distance for _, distance in found])


def match_in(image: Tensor, side: int, step: int, window: int, count: int) -> tuple[Tensor, Tensor]:
    """`match` in one image (H, W), so that an image's matches do not depend on its batch."""
    image = image - image.mean()  # which the distances lose and their precision gains
    radius, stride, span = window // 2, TILE * step, (TILE - 1) * step + window
    down, across = (Axis(n - side + 1, step, radius, image.device) for n in image.shape)

    references = image.unfold(0, side, 1).unfold(1, side, 1)[down.place][:, across.place]
    references = references.reshape(down.tiles, TILE, across.tiles, TILE, side**2).transpose(1, 2).flatten(2, 3)
    own = down.own[:, None] * window + across.own
    border = (*across.border, *down.border)
    norms = pad(side**2 * avg_pool2d(image.square()[None], side, 1)[0], border, value=torch.inf)
    pixels = pad(image, border)

    indices, distances = [], []
    for i in range(down.tiles):
        strip = pixels[i * stride : i * stride + span + side - 1]
        strip = strip.unfold(1, span + side - 1, stride).unfold(0, span, 1).unfold(2, span, 1)
        candidates = strip.transpose(0, 1).reshape(across.tiles, side**2, span**2)
        norm = norms[i * stride : i * stride + span].unfold(1, span, stride).transpose(0, 1).flatten(1).unsqueeze(1)
        product = torch.baddbmm(norm, references[i], candidates, alpha=-2)
        # Of the tile's whole area, the window of each reference.
        shape = (across.tiles, TILE, TILE, window, window)
        strides = (TILE**2 * span**2, TILE * span**2 + step * span, span**2 + step, span, 1)
        distance = product.as_strided(shape, strides).transpose(0, 1).reshape(TILE, len(across.place), window**2)
        rows = slice(i * TILE, (i + 1) * TILE)
        distance.scatter_(2, own[rows, :, None], -torch.inf)
        distance, place = distance.topk(count, largest=False)
        square = references[i].square().sum(-1).view(across.tiles, TILE, TILE).transpose(0, 1).flatten(1)
        distance = (distance + square[..., None]).clamp(min=0)
        row = down.nominal[rows, None, None] - radius + place // window
        column = across.nominal[:, None] - radius + place % window
        reference = down.place[rows, None, None] * across.length + across.place[:, None]
        indices.append(torch.where(distance.isinf(), reference, row * across.length + column))
        distances.append(distance)
    index, distance = (torch.cat(t)[: down.count, : across.count].flatten(0, 1) for t in (indices, distances))
    return index, distance


class Axis:
    """The grid of references along one axis with ``length`` positions, continued to whole tiles.

    Beyond the end the references are the last one again, in windows that stay with the ``nominal`` grid.
    """

    def __init__(self, length: int, step: int, radius: int, device: torch.device) -> None:
        self.length = length
        self.count = -(-(length - 1) // step) + 1
        self.tiles = -(-self.count // TILE)
        self.nominal = torch.arange(0, self.tiles * TILE * step, step, device=device)
        self.place = self.nominal.clamp(max=length - 1)
        self.own = (self.place - self.nominal + radius).clamp(min=0)  # of the reference in its window
        self.border = (radius, (self.tiles * TILE - 1) * step + 1 + radius - length)


def blocks(image: Tensor, side: int) -> Tensor:
    """All blocks of images (B, 1, H, W), one a row: (B, L, side²)."""
    return image[:, 0].unfold(1, side, 1).unfold(2, side, 1).reshape(len(image), -1, side**2)


def accumulate(table: Tensor, index: Tensor, rows: Tensor) -> None:
    """Adds ``rows`` (n, ...) to the rows ``index`` (n,) of ``table`` (L, ...), in place and in a fixed order."""
    if table.is_cuda:  # where index_add_ adds in any order
        table.index_put_((index,), rows, accumulate=True)
    else:
        table.index_add_(0, index, rows)


def aggregate(
    total: Tensor,  # (B, L, side²): at each position, the sum of its blocks' estimates times their weights
    weight: Tensor,  # (B, L): the sum of their weights
    shape: tuple[int, int],  # (H, W)
    window: Tensor,  # (side, side): the weight of a pixel within a block
) -> Tensor:
    """Images (B, 1, H, W): of each pixel, the mean of all its estimates by weight."""
    side = len(window)
    numerator = fold((total * window.flatten()).transpose(1, 2), shape, side)
    weight = weight.reshape(-1, 1, shape[0] - side + 1, shape[1] - side + 1)
    return numerator / conv_transpose2d(weight, window[None, None])

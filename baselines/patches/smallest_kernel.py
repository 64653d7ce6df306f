"""The smallest values of rows on a GPU: a program holds a row, takes its least value, and again without it.

Triton comes with PyTorch for CUDA on Linux. This module needs it; `baselines.patches.smallest` does without.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

WARPS = 4


def smallest_of_rows(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` smallest of each row of ``values`` (..., n) in rising order, and their places: (..., count).

    Of equal values the first comes first. ``count`` is at most n.
    """
    rows, columns = values.shape[:-1], values.shape[-1]
    least = values.new_empty(*rows, count)
    places = torch.empty(*rows, count, dtype=torch.int64, device=values.device)
    if least.numel():
        with torch.cuda.device_of(values):
            take_smallest[(rows.numel(),)](
                values.contiguous(),
                least,
                places,
                columns,
                count,
                WIDTH=triton.next_power_of_2(columns),
                num_warps=WARPS,
            )
    return least, places


@triton.jit
def take_smallest(
    values,  # (rows, columns)
    least,  # (rows, count)
    places,  # (rows, count)
    columns,
    count,
    WIDTH: tl.constexpr,  # columns, or the next power of two
):
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, WIDTH)
    left = tl.load(values + row * columns + at, mask=at < columns, other=float("inf"))
    for taken in range(count):
        value, place = tl.min(left, axis=0, return_indices=True)
        place = tl.minimum(place, columns - 1)  # whatever comes of a row of NaN
        tl.store(least + row * count + taken, value)
        tl.store(places + row * count + taken, place.to(tl.int64))
        left = tl.where(at == place, float("inf"), left)

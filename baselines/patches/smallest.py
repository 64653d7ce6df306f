"""The smallest values of many short rows, and their places: `torch.topk`, or on a GPU a kernel of our own.

PyTorch's kernel reads each row a dozen times, to find a bound by its digits. Ours holds a row in registers.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

WIDEST, MOST = 4096, 128  # values in a row, and those that are asked for, up to which our kernel is used

Smallest = Callable[[Tensor, int], tuple[Tensor, Tensor]]


def smallest(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` smallest of each row of ``values`` (..., n) in rising order, and their places: (..., count).

    The order of equal values is not defined, nor is the place of an infinite one.
    """
    if values.is_cuda and values.shape[-1] <= WIDEST and count <= MOST:
        return by_kernel(values.device)(values, count)
    return by_topk(values, count)


def by_topk(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    found = values.topk(count, largest=False)
    return found.values, found.indices


@cache
def by_kernel(device: torch.device) -> Smallest:
    """`baselines.patches.smallest_kernel`, tried once on a GPU; `torch.topk`, with a warning, where it fails.

    It needs Triton, and Triton a C compiler and the headers of Python.
    """
    try:
        from baselines.patches.smallest_kernel import smallest_of_rows

        found, places = smallest_of_rows(torch.tensor([[3.0, 1.0, 2.0]], device=device), 2)
        if (found.tolist(), places.tolist()) != ([[1.0, 2.0]], [[1, 2]]):
            raise RuntimeError(f"of 3, 1 and 2 the smallest two are {found.tolist()}")
        return smallest_of_rows
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        warnings.warn(f"block matching uses torch.topk on this GPU, as its own kernel failed: {reason}", stacklevel=3)
        return by_topk

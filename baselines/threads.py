"""f(x_1), ..., f(x_B), one item a core: small steps on one image leave a second core idle, two images do not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor


def each(function: Callable[..., Tensor], *batches: Tensor) -> list[Tensor]:
    """``function`` of the first items of all ``batches``, then of the second ones, and so on.

    On a CPU each item is worked on by one of PyTorch's threads, so its bits depend neither on their number nor on the
    batch. Elsewhere, and where there is one thread, a loop takes the items.
    """
    threads = torch.get_num_threads()
    if batches[0].device.type != "cpu" or threads == 1:
        return [function(*items) for items in zip(*batches, strict=True)]
    inference, grad = torch.is_inference_mode_enabled(), torch.is_grad_enabled()  # which a thread has of its own

    def alone(items: Iterable[Tensor]) -> Tensor:
        with torch.inference_mode(inference), torch.set_grad_enabled(grad):
            return function(*items)

    try:
        with ThreadPoolExecutor(
            min(threads, len(batches[0])), initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            return list(pool.map(alone, zip(*batches, strict=True)))
    finally:
        torch.set_num_threads(threads)

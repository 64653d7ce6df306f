"""Equal bits for equal input: how every image is reconstructed, by the referee and by the checks of the contract."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.utils.deterministic
from torch.backends import cudnn

memory: Any = torch.utils.deterministic


def deterministic() -> None:
    """From now on operations are deterministic; one without such an implementation warns.

    By default PyTorch then fills new memory as well, in case that somebody reads it before it is written. For every
    result that takes time on a CPU and a launch on a GPU, so here it does not.
    """
    torch.use_deterministic_algorithms(True, warn_only=True)
    memory.fill_uninitialized_memory = False


@contextmanager
def exact() -> Iterator[None]:
    """Deterministic, and in full single precision: no convolution in TF32, which PyTorch allows by default.

    TF32 moves scores by more than the order of sums.
    """
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    fills = memory.fill_uninitialized_memory
    deterministic()
    try:
        with cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        memory.fill_uninitialized_memory = fills


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seeds the global generators of torch, NumPy and Python; afterwards they go on as if nothing had happened."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - a method may draw from it
    try:
        # To count the GPUs takes longer than to seed: where none is in use there is no state to keep.
        with torch.random.fork_rng(range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []):
            torch.manual_seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            random.seed(seed)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002

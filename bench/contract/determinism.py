"""Equal bits for equal input: how every image is reconstructed, by the referee and by the checks of the contract."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch.backends import cudnn


@contextmanager
def exact() -> Iterator[None]:
    """Full single precision: no convolution in TF32, which moves scores by more than the order of sums.

    PyTorch allows it by default. Operations are deterministic; one without such an implementation warns.
    """
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seeds the global generators of torch, NumPy and Python; afterwards they go on as if nothing had happened."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - a method may draw from it
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            random.seed(seed)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002

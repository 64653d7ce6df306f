"""The splits of phantom tracks. Each phantom is made once from its seed and kept in the cache."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.contract.task import Images
from bench.data.cache import cached, code_hash
from tasks.phantoms import shapes as phantoms

SEEDS = {"train": 1, "val": 2, "test": 3}
SINGLE = {"f": np.dtype(np.float32), "c": np.dtype(np.complex64)}

Arrays = dict[str, NDArray[Any]]


def phantom_split(
    split: str,
    count: int,
    generator: Callable[..., Any],
    size: int,
    arrays: Callable[..., Arrays] = lambda made: {"image": made},
    modules: tuple[ModuleType, ...] = (),
    join_every: int = 0,
) -> Images:
    """``count`` phantoms ``generator(seed, index, size)``, seeded by the split; ``arrays(phantom)`` is stored.

    Ids are ``<generator>-<split>-<index>``, and every phantom is a group of its own. The key in the cache holds a hash
    of the code that makes a phantom: the generator, ``arrays``, and the further ``modules`` that they use. Phantoms
    that join a training one by one (``join_every``) are many: they are stored in single precision, in half the space.
    """
    name = generator.__name__
    version = code_hash(sys.modules[generator.__module__], phantoms, sys.modules[arrays.__module__], *modules)

    def load(image: str) -> Arrays:
        index = int(image.rpartition("-")[2])
        key = f"{version}-{SEEDS[split]}-{index}-{size}{'-single' if join_every else ''}"

        def make() -> Arrays:
            made = arrays(generator(SEEDS[split], index, size))
            if not join_every:
                return made
            return {key: value.astype(SINGLE.get(value.dtype.kind, value.dtype)) for key, value in made.items()}

        return cached(name, key, make)

    ids = tuple(f"{name}-{split}-{index:03d}" for index in range(count))
    return Images(ids, load, join_every=join_every)

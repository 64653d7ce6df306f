"""The splits of phantom tracks. Each phantom is made once from its seed and kept in the cache."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from numpy.typing import NDArray

from bench.contract.task import Images
from bench.data.cache import cached, code_hash
from tasks.phantoms import shapes as phantoms

SEEDS = {"train": 1, "val": 2, "test": 3}

Arrays = dict[str, NDArray[Any]]


def phantom_split(
    split: str,
    count: int,
    generator: Callable[..., Any],
    size: int,
    arrays: Callable[..., Arrays] = lambda made: {"image": made},
    modules: tuple[ModuleType, ...] = (),
) -> Images:
    """``count`` phantoms ``generator(seed, index, size)``, seeded by the split; ``arrays(phantom)`` is stored.

    Ids are ``<generator>-<split>-<index>``, and every phantom is a group of its own. The key in the cache holds a hash
    of the code that makes a phantom: the generator, ``arrays``, and the further ``modules`` that they use.
    """
    name = generator.__name__
    version = code_hash(sys.modules[generator.__module__], phantoms, sys.modules[arrays.__module__], *modules)

    def load(image: str) -> Arrays:
        index = int(image.rpartition("-")[2])
        key = f"{version}-{SEEDS[split]}-{index}-{size}"
        return cached(name, key, lambda: arrays(generator(SEEDS[split], index, size)))

    return Images(tuple(f"{name}-{split}-{index:03d}" for index in range(count)), load)

"""Sizes of the parts in which a method works: a part fits in the cache of a CPU, or keeps another device busy."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Chunk(NamedTuple):
    """Sizes of a part, on a CPU and on other devices, in a unit that the owner states."""

    cpu: int
    elsewhere: int

    def count(self, x: Tensor, size: int = 1) -> int:
        """The number of items of that ``size`` in a part, on the device of ``x``; at least one."""
        return max(1, (self.cpu if x.device.type == "cpu" else self.elsewhere) // size)

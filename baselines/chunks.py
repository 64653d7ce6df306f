"""How much a method works on at once: on a CPU what its cache holds, elsewhere what keeps the device busy."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Chunk(NamedTuple):
    """Sizes in a unit that its owner names."""

    cpu: int
    elsewhere: int

    def count(self, x: Tensor, size: int = 1) -> int:
        """How many items of that ``size``, on the device of ``x``; at least one."""
        return max(1, (self.cpu if x.device.type == "cpu" else self.elsewhere) // size)

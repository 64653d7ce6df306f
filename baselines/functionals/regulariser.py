"""g(Kv), with g convex and K linear: what the algorithms need to know of a regulariser.

Fields Kv are stacked on a new first axis where K has several components.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Regulariser:
    """``value`` gives g(p) of each image; ``prox_dual`` prox_{σg*} of (p, σ), and may overwrite p."""

    K: Callable[[Tensor], Tensor]
    K_adjoint: Callable[[Tensor], Tensor]
    K_norm: float
    value: Callable[[Tensor], Tensor]
    prox_dual: Callable[[Tensor, float], Tensor]

    def prox(self, p: Tensor, step: float) -> Tensor:
        """prox_{step g}(p), by Moreau's identity."""
        return p - step * self.prox_dual(p / step, 1 / step)


def sum_of(x: Tensor, batch_axis: int = 0) -> Tensor:
    """The sum over all but the batch, (B,)."""
    return x.sum(dim=[axis for axis in range(x.ndim) if axis != batch_axis])

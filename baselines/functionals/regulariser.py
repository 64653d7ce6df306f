"""g(Kv), with g convex and K linear: a regulariser as the algorithms need it.

Fields Kv are stacked on a new first axis where K has several components.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Regulariser:
    """``value`` gives g(p) of each image, (B,).

    ``prox_dual`` gives prox_{σg*} of (p, σ), and may overwrite p. ``closed_form`` gives prox_{τg} of (p, τ) where it is
    known; otherwise it follows from ``prox_dual``.
    """

    K: Callable[[Tensor], Tensor]
    K_adjoint: Callable[[Tensor], Tensor]
    K_norm: float  # of K, or an upper bound
    value: Callable[[Tensor], Tensor]
    prox_dual: Callable[[Tensor, float], Tensor]
    closed_form: Callable[[Tensor, float], Tensor] | None = None

    def prox(self, p: Tensor, step: float) -> Tensor:
        """prox_{step g}(p), in closed form or by Moreau's identity."""
        if self.closed_form is not None:
            return self.closed_form(p, step)
        return p - step * self.prox_dual(p / step, 1 / step)


def sum_of(x: Tensor, batch_axis: int = 0) -> Tensor:
    """The sum of each image, (B,)."""
    return x.sum(dim=[axis for axis in range(x.ndim) if axis != batch_axis])

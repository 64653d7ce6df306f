"""min_v f(v) + g(v), f with a gradient of Lipschitz constant L, by iterative shrinkage-thresholding.

ISTA:   v⁺ = prox_{g/L}(v − ∇f(v)/L)
FISTA:  the same at w = v + (t − 1)/t⁺ (v − v_last), t⁺ = (1 + √(1 + 4t²))/2, t = 1 at first

I. Daubechies, M. Defrise, C. De Mol, An iterative thresholding algorithm for linear inverse problems, CPAM 2004.
A. Beck, M. Teboulle, A fast iterative shrinkage-thresholding algorithm, SIAM J. Imaging Sci. 2009.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor

from baselines.functionals.data_fit import DataFit
from baselines.functionals.regulariser import Regulariser
from bench.errors import BenchError


def ista(v: Tensor, f: DataFit, g: Regulariser, iterations: int, watch: Callable[[Tensor], None]) -> Tensor:
    """The minimiser, for a g with K = 1; ``watch`` is called with every iterate."""
    L = lipschitz(f)
    for _ in range(iterations):
        v = g.prox(v - f.gradient(v) / L, 1 / L)
        watch(v)
    return v


def fista(v: Tensor, f: DataFit, g: Regulariser, iterations: int, watch: Callable[[Tensor], None]) -> Tensor:
    """`ista` with Nesterov's extrapolation."""
    L = lipschitz(f)
    w = v
    for _, momentum in zip(range(iterations), momenta(), strict=False):
        before, v = v, g.prox(w - f.gradient(w) / L, 1 / L)
        w = v + momentum * (v - before)
        watch(v)
    return v


def momenta() -> Iterator[float]:
    """(t_k − 1)/t_{k+1} for k = 1, 2, ..."""
    t = 1.0
    while True:
        t, before = (1 + (1 + 4 * t * t) ** 0.5) / 2, t
        yield (before - 1) / t


def lipschitz(f: DataFit) -> float:
    """The Lipschitz constant of ∇f; raises `BenchError` where ∇f has none."""
    if f.F.lipschitz is None:
        raise BenchError(
            "steps down the gradient need a data term with a Lipschitz gradient, which the noise of this track does "
            "not have: choose data=gaussian, or algorithm=pdhg or admm of the methods that offer them."
        )
    return f.F.lipschitz

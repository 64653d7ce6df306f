"""min_α ‖x − Dᵀα‖²,   ‖α‖₀ ≤ s,   or   min_α ‖α‖₀,   ‖x − Dᵀα‖² ≤ ε²,   by orthogonal matching pursuit

Each step chooses the atom d_i with the largest |d_iᵀr|, where r is the residual, then fits all chosen atoms. Batch OMP
needs neither x nor r: the correlations α⁰ = Dx, the Gram matrix G = DDᵀ and ‖x‖² are enough. Atoms and signals are rows
here.

The fit is a progressive Cholesky factorisation G_II = LLᵀ, kept as L⁻¹. An atom whose correlations with the chosen ones
are g has w = L⁻¹g, ρ² = 1 − wᵀw, and adds to L⁻¹ the row ℓ = (−wᵀL⁻¹, 1)/ρ. With c = d_iᵀr/ρ the coefficients grow by
cℓ, the correlations fall by cGℓ, and ‖r‖² falls by c².

Signals are coded in batches of similar energy, so that most signals of a batch finish together. Finished signals leave
the batch.

R. Rubinstein, M. Zibulevsky, M. Elad, Efficient implementation of the K-SVD algorithm using batch orthogonal matching
pursuit, Technion CS-2008-08.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from baselines.chunks import Chunk

CHUNK = Chunk(cpu=2**19, elsewhere=2**24)  # correlations in a batch
BLOCK = 32  # correlations that share a maximum; fewer are slower
DEPENDENT = 100  # ρ² over the precision, below which an atom is a combination of the chosen atoms


class Codes(NamedTuple):
    """Codes of the signals ``rows`` (m,): ``atoms`` (m, k), and coefficients ``values`` (m, k) padded with zeros."""

    rows: Tensor
    atoms: Tensor
    values: Tensor


def codes(
    D: Tensor,  # (K, n), atoms of norm one
    X: Tensor,  # (N, n)
    sparsity: int,  # s: the most atoms of a signal
    error: float | Tensor = 0.0,  # ε, ()
) -> Iterator[Codes]:
    """The codes of all signals with ‖x‖ > ε, batch by batch, in no order. Other signals have the code zero."""
    G, bound, energy = D @ D.T, torch.as_tensor(error).to(X) ** 2, X.square().sum(1)
    coded = (energy > bound).nonzero()[:, 0]
    order = coded[energy[coded].argsort(descending=True)]
    if len(order) == 0:
        return
    for rows in order.split(CHUNK.count(X, len(D))):
        yield Codes(rows, *pursue(G, X.index_select(0, rows) @ D.T, energy[rows], min(sparsity, *D.shape), bound))


def coefficients(D: Tensor, X: Tensor, sparsity: int, error: float | Tensor = 0.0) -> Tensor:
    """The sparse matrix Γ (K, N), with the codes as columns."""
    places, found = [torch.empty(2, 0, dtype=torch.long, device=X.device)], [X.new_empty(0)]
    for rows, atoms, values in codes(D, X, sparsity, error):
        places.append(torch.stack([atoms, rows[:, None].expand_as(atoms)]).flatten(1))
        found.append(values.flatten())
    return sparse(torch.cat(places, 1), torch.cat(found), (len(D), len(X)))


def sparse(places: Tensor, values: Tensor, size: tuple[int, ...]) -> Tensor:
    """A coalesced matrix of the ``values`` (m,) at ``places`` (2, m), without zeros; values at one place are added."""
    kept = values != 0
    return torch.sparse_coo_tensor(places[:, kept], values[kept], size, check_invariants=True).coalesce()


def approximations(D: Tensor, X: Tensor, sparsity: int, error: float | Tensor = 0.0) -> Tensor:
    """Dᵀα of each signal, (N, n)."""
    found = torch.zeros_like(X)
    for rows, atoms, values in codes(D, X, sparsity, error):
        found[rows] = embedding_bag(atoms, D, per_sample_weights=values, mode="sum")
    return found


def pursue(
    G: Tensor,  # (K, K)
    alpha: Tensor,  # (m, K), correlations with the signals
    left: Tensor,  # ‖x‖², (m,)
    sparsity: int,
    bound: Tensor,  # ε², ()
) -> tuple[Tensor, Tensor]:
    """Atoms (m, k) and values (m, k). Inside, the signals that are not finished are columns."""
    count = len(alpha)
    atoms, values = (alpha.new_zeros(sparsity, count, dtype=dtype) for dtype in (torch.long, alpha.dtype))
    active, magnitude = torch.arange(count, device=alpha.device), torch.empty_like(alpha)
    chosen, gamma, inverse = atoms[:0], values[:0], alpha.new_zeros(0, 0, count)
    for k in range(sparsity):
        place = largest(torch.abs(alpha, out=magnitude[: len(alpha)]))
        g = G.take(chosen * len(G) + place)
        w = (inverse * g).sum(1)
        square = 1 - w.square().sum(0)
        independent = square > DEPENDENT * torch.finfo(G.dtype).eps
        rho = square.clamp(min=DEPENDENT * torch.finfo(G.dtype).eps).sqrt()
        row = torch.cat([-(w[:, None] * inverse).sum(0), torch.ones_like(rho)[None]]) / rho
        c = alpha.gather(1, place[:, None])[:, 0] / rho * independent
        step = c * row
        gamma = step + torch.cat([gamma, torch.zeros_like(c)[None]])
        chosen = torch.cat([chosen, place[None]])
        left = left - c.square()

        goes_on = (left > bound) & independent
        if k + 1 == sparsity or not goes_on.all():
            ends = (~goes_on).nonzero()[:, 0] if k + 1 < sparsity else torch.arange(len(active), device=alpha.device)
            atoms[: k + 1, active[ends]] = chosen[:, ends]
            values[: k + 1, active[ends]] = gamma[:, ends]
            if len(ends) == len(active):
                break
            stay = goes_on.nonzero()[:, 0]
            active, left, alpha = active[stay], left[stay], alpha.index_select(0, stay)
            chosen, gamma, inverse, row, step = (t.index_select(-1, stay) for t in (chosen, gamma, inverse, row, step))
        alpha.sub_(embedding_bag(chosen.T.contiguous(), G, per_sample_weights=step.T.contiguous(), mode="sum"))
        inverse = torch.cat([torch.nn.functional.pad(inverse, (0, 0, 0, 1)), row[None]])
    return atoms[: k + 1].T.contiguous(), values[: k + 1].T.contiguous()


def largest(alpha: Tensor) -> Tensor:
    """``alpha.argmax(1)``, by blocks where they fit, as torch finds a maximum ten times faster than its place."""
    count, length = alpha.shape
    if length % BLOCK:
        return alpha.argmax(1)
    blocks = alpha.view(count, -1, BLOCK)
    block = blocks.amax(2).argmax(1)
    return block * BLOCK + alpha.view(-1, BLOCK)[
        torch.arange(count, device=alpha.device) * blocks.shape[1] + block
    ].argmax(1)

"""min_{D, Γ} ‖X − ΓᵀD‖²,   ‖γ_i‖₀ ≤ s,   ‖d_j‖ = 1

Dictionary learning in turns: sparse codes for a dictionary, then a better dictionary for the support of these codes.
Signals X (N, n) and atoms D (K, n) are rows, codes Γ (K, N) are columns.

The method of optimal directions takes the D that is best for all of Γ, D + (ΓΓᵀ + εI)⁻¹ΓR with R = X − ΓᵀD. A tiny ε,
the weight of ‖D − D_old‖² in the objective, leaves unused atoms as they are. K-SVD goes from atom to atom. With E the
residual of the signals that use d_j, were it not there, it fits d_j γ_j ≈ E by one power iteration d = Eᵀγ/‖Eᵀγ‖,
γ = Ed (the approximate K-SVD). Neither raises the objective, nor does `replace`.

K. Engan, S. Aase, J. Husøy, Method of optimal directions for frame design, ICASSP 1999.
M. Aharon, M. Elad, A. Bruckstein, K-SVD: an algorithm for designing overcomplete dictionaries for sparse
representation, IEEE TSP 2006.
R. Rubinstein, M. Zibulevsky, M. Elad, Efficient implementation of the K-SVD algorithm using batch orthogonal matching
pursuit, Technion CS-2008-08.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from baselines.sparse_coding import coefficients

COHERENT = 0.99  # |cos| of two atoms that are one, as in Aharon's program
RIDGE = 10  # ε over the precision times the trace of ΓΓᵀ, which makes it invertible

Update = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]  # (D, X, Γ) to (D, Γ)


def cosines(side: int, dims: int, atoms: int) -> Tensor:
    """An overcomplete cosine transform: the first ``atoms`` products of ⌈atoms^(1/dims)⌉ cosines, (atoms, side^dims).

    All cosines but the first, the constant, are less their means, as Aharon et al. have it.
    """
    count = math.ceil(atoms ** (1 / dims) - 1e-9)
    place = torch.arange(side, dtype=torch.float64) + 0.5
    wave = torch.cos(math.pi / count * torch.arange(count)[:, None] * place)
    wave[1:] -= wave[1:].mean(1, keepdim=True)
    wave /= wave.norm(dim=1, keepdim=True)
    product = wave
    for _ in range(dims - 1):
        product = torch.kron(product, wave)
    return product[:atoms].float()


def mod(D: Tensor, X: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
    """The dictionary that is best for the codes; its scale goes to the codes."""
    gram = codes @ codes.T
    ridge = RIDGE * torch.finfo(D.dtype).eps * gram.trace()
    if ridge == 0:
        return D, codes
    factor = torch.linalg.cholesky(gram + ridge * torch.eye(len(D)).to(D))
    D = D + torch.cholesky_solve(codes @ (X - codes.T @ D), factor)
    norm = D.norm(dim=1, keepdim=True).clamp(min=torch.finfo(D.dtype).tiny)
    return D / norm, codes * norm


def ksvd(D: Tensor, X: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
    """Atom by atom the better fit to the residual of the signals that use it, and their coefficients of it."""
    D, codes, R = D.clone(), codes.clone(), X - codes.T @ D
    used = codes.count_nonzero(1).tolist()
    for j, users in enumerate(codes.nonzero()[:, 1].split(used)):
        gamma = codes[j, users]
        E = torch.addr(R[users], gamma, D[j])
        d = gamma @ E
        norm = d.norm()
        if norm == 0:  # unused, or of no use
            continue
        D[j] = d / norm
        codes[j, users] = gamma = E @ D[j]
        R[users] = torch.addr(E, gamma, D[j], alpha=-1)
    return D, codes


def replace(D: Tensor, X: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
    """For an atom that no signal uses, or that a former atom doubles, the signal that is represented worst.

    That signal becomes the atom's only user, and the double's coefficients go to the former atom, unless the
    objective would rise by it.
    """
    likeness = (D @ D.T).tril(-1)
    cosine, former = likeness.abs().max(1)
    unused = codes.count_nonzero(1) == 0
    doubles = (cosine > COHERENT) & ~unused & ~unused[former]
    places = (unused | doubles).nonzero()[:, 0].tolist()
    if not places:
        return D, codes
    D, codes, R = D.clone(), codes.clone(), X - codes.T @ D
    error, replaced = R.square().sum(1), set()
    for j in places:
        if doubles[j]:
            i = int(former[j])
            if i in replaced:
                continue
            users = codes[j].nonzero()[:, 0]
            sign, moved = likeness[j, i].sign(), codes[j, users]
            residual = torch.addr(R[users], moved, D[j] - sign * D[i])
            risen = error.index_copy(0, users, residual.square().sum(1))
            if risen.sum() - risen.max() > error.sum():
                continue
            codes[i, users] += sign * moved
            codes[j], R[users], error = 0, residual, risen
        worst = error.argmax()
        if error[worst] == 0:
            break
        length = X[worst].norm()
        D[j] = X[worst] / length
        codes[:, worst] = 0
        codes[j, worst] = length
        R[worst] = error[worst] = 0
        replaced.add(j)
    return D, codes


def learn(D: Tensor, X: Tensor, codes: Tensor, update: Update, sparsity: int) -> tuple[Tensor, Tensor]:
    """One iteration at a fixed sparsity: codes, unless the old ones were better, then the dictionary.

    The objective does not rise.
    """
    found = coefficients(D, X, sparsity)
    better = (X - found.T @ D).square().sum(1) < (X - codes.T @ D).square().sum(1)
    D, codes = update(D, X, torch.where(better, found, codes))
    return replace(D, X, codes)

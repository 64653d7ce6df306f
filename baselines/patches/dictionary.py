"""min_{D, Γ} ‖X − ΓᵀD‖²,   ‖γ_i‖₀ ≤ s,   ‖d_j‖ = 1

Dictionary learning alternates between sparse codes for a dictionary and a better dictionary for the support of these
codes. Signals X (N, n) and atoms D (K, n) are rows. The codes Γ (K, N) are columns of a sparse tensor, which lists the
signals that use an atom, atom by atom. The functions also pass on the residual R = X − ΓᵀD.

The method of optimal directions takes the best D for Γ, D + (ΓΓᵀ + εI)⁻¹ΓR. A tiny ε, the weight of
‖D − D_old‖² in the objective, leaves unused atoms as they are. K-SVD updates one atom after the other. Let E be the
residual, without atom d_j, of the signals that use d_j. One power iteration, d = Eᵀγ/‖Eᵀγ‖, γ = Ed, fits d_j γ_j ≈ E
(the approximate K-SVD). Neither update raises the objective, nor does `replace`.

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

from baselines.patches.sparse_coding import coefficients, sparse

COHERENT = 0.99  # |cos| above which two atoms are duplicates, as in Aharon's program
RIDGE = 10  # ε over the precision times the trace of ΓΓᵀ; makes ΓΓᵀ + εI invertible

Found = tuple[Tensor, Tensor, Tensor]  # D, Γ, R
Update = Callable[[Tensor, Tensor, Tensor], Found]  # D, Γ, R before to D, Γ, R after


def cosines(side: int, dims: int, atoms: int) -> Tensor:
    """An overcomplete cosine transform: the first ``atoms`` products of ⌈atoms^(1/dims)⌉ cosines, (atoms, side^dims).

    The first cosine is the constant. The means of all others are subtracted, as in Aharon et al.
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


def residual(D: Tensor, codes: Tensor, X: Tensor) -> Tensor:
    """X − ΓᵀD, (N, n)."""
    if codes.device.type == "cpu":
        return torch.sparse.addmm(X, codes.T, D, alpha=-1)
    return torch.addmm(X, factor(codes).T, D, alpha=-1)


def factor(codes: Tensor) -> Tensor:
    """Γ (K, N) as products take it: sparse on a CPU, dense elsewhere, where sparse products add in any order."""
    return codes if codes.device.type == "cpu" else codes.to_dense()


def mod(D: Tensor, codes: Tensor, R: Tensor) -> Found:
    """The best dictionary for the codes, with atoms of norm one; the codes take the scale."""
    gamma = factor(codes)
    gram = gamma @ codes.T.to_dense()
    ridge = RIDGE * torch.finfo(D.dtype).eps * gram.trace()
    if ridge == 0:
        return D, codes, R
    triangle = torch.linalg.cholesky(gram + ridge * torch.eye(len(D)).to(D))
    step = torch.cholesky_solve(gamma @ R, triangle)
    R, D = residual(step, codes, R), D + step
    norm = D.norm(dim=1, keepdim=True).clamp(min=torch.finfo(D.dtype).tiny)
    return D / norm, codes * norm, R


def ksvd(D: Tensor, codes: Tensor, R: Tensor) -> Found:
    """A better fit of each atom, one after the other, to the signals that use it, and their new coefficients."""
    D, R, values = D.clone(), R.clone(), codes.values().clone()
    atoms, signals = codes.indices()
    used = atoms.bincount(minlength=len(D)).tolist()  # below, d and γ are views
    for d, users, gamma in zip(D, signals.split(used), values.split(used), strict=True):
        E = R.index_select(0, users).addr_(gamma, d)
        direction = gamma @ E
        norm = direction.norm()
        if norm == 0:  # no signal uses the atom, or no direction fits better
            continue
        torch.div(direction, norm, out=d)
        torch.mv(E, d, out=gamma)
        R.index_copy_(0, users, E.addr_(gamma, d, alpha=-1))
    return D, sparse(codes.indices(), values, codes.shape), R


def replace(D: Tensor, codes: Tensor, R: Tensor, X: Tensor) -> Found:
    """Replaces every unused atom, and every duplicate of an earlier atom, by the signal with the largest error.

    This signal becomes the only user of the new atom. The coefficients of a duplicate go to the earlier atom; the
    duplicate stays if the objective would rise.
    """
    likeness = (D @ D.T).tril(-1)
    cosine, former = likeness.abs().max(1)
    unused = codes.indices()[0].bincount(minlength=len(D)) == 0
    doubles = (cosine > COHERENT) & ~unused & ~unused[former]
    replaceable = (unused | doubles).nonzero()[:, 0].tolist()
    if not replaceable:
        return D, codes, R
    D, R, places, values = D.clone(), R.clone(), codes.indices().clone(), codes.values().clone()
    error, replaced = R.square().sum(1), set()
    for j in replaceable:
        if doubles[j]:
            i = int(former[j])
            if i in replaced:
                continue
            moved = (places[0] == j).nonzero()[:, 0]
            users, sign = places[1, moved], likeness[j, i].sign()
            after = torch.addr(R[users], values[moved], D[j] - sign * D[i])
            risen = error.index_copy(0, users, after.square().sum(1))
            if risen.sum() - risen.max() > error.sum():
                continue
            places[0, moved], R[users], error = i, after, risen
            values[moved] *= sign
        worst = int(error.argmax())
        if error[worst] == 0:
            break
        length = X[worst].norm()
        D[j] = X[worst] / length
        values[places[1] == worst] = 0
        places = torch.cat([places, places.new_tensor([[j], [worst]])], 1)
        values = torch.cat([values, length[None]])
        R[worst] = error[worst] = 0
        replaced.add(j)
    return D, sparse(places, values, codes.shape), R


def learn(D: Tensor, codes: Tensor, X: Tensor, update: Update, sparsity: int) -> Found:
    """One iteration at a fixed sparsity: new codes for the signals that gain by them, then a new dictionary.

    The objective does not rise.
    """
    found = coefficients(D, X, sparsity)
    R, old = residual(D, found, X), residual(D, codes, X)
    better = R.square().sum(1) < old.square().sum(1)
    codes = (found * better + codes * ~better).coalesce()
    codes = sparse(codes.indices(), codes.values(), codes.shape)
    D, codes, R = update(D, codes, torch.where(better[:, None], R, old))
    return replace(D, codes, R, X)

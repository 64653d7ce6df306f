"""MOD against least squares, K-SVD against the singular value decomposition, and an objective that never rises."""

import itertools

import numpy as np
import pytest
import torch
from scipy.fft import dct

from baselines.patches.dictionary import cosines, ksvd, learn, mod, replace
from baselines.patches.sparse_coding import coefficients

SPARSITY = 3


def unit(rows):
    return rows / rows.norm(dim=1, keepdim=True)


def problem(atoms=24, size=12, signals=300, seed=0):
    """A dictionary, signals, and codes of theirs."""
    rng = torch.Generator().manual_seed(seed)
    D, X = (torch.randn(count, size, generator=rng, dtype=torch.float64) for count in (atoms, signals))
    return unit(D), X, coefficients(unit(D), X, SPARSITY).to_dense()


def after(step, D, X, codes, *more):
    """The dictionary and the codes, dense here, after a step whose residual must be theirs."""
    D, codes, R = step(D, codes.to_sparse(), X - codes.T @ D, *more)
    assert codes.is_coalesced()
    codes = codes.to_dense()
    assert torch.allclose(R, X - codes.T @ D, atol=1e-12)
    return D, codes


def objective(D, X, codes):
    return float((X - codes.T @ D).square().sum())


def test_mod_is_least_squares():
    D, X, codes = problem()
    new, scaled = after(mod, D, X, codes)
    expected = torch.linalg.lstsq(codes.T, X).solution
    assert torch.allclose(scaled.T @ new, codes.T @ expected, atol=1e-8)
    assert torch.allclose(new, unit(expected), atol=1e-8)
    assert torch.allclose(new.norm(dim=1), torch.ones(24).double())


def test_mod_leaves_unused_atoms_alone():
    D, X, codes = problem()
    codes[3] = 0
    assert torch.allclose(after(mod, D, X, codes)[0][3], D[3])
    assert torch.equal(after(mod, D, X, 0 * codes)[0], D)


@pytest.mark.parametrize("update", [ksvd, mod])
def test_an_update_keeps_the_support_and_lowers_the_objective(update):
    D, X, codes = problem()
    new, found = after(update, D, X, codes)
    assert ((found != 0) <= (codes != 0)).all()
    assert objective(new, X, found) < objective(D, X, codes)
    assert torch.allclose(new.norm(dim=1), torch.ones(24).double())


def test_no_atom_of_ksvd_raises_the_objective():
    """Each is updated as if it came last: those after it have no users."""
    D, X, codes = problem()
    for j in range(len(D)):
        order = torch.cat([torch.arange(j), torch.arange(j + 1, len(D)), torch.tensor([j])])
        target = X - codes[order[:-1]].T @ D[order[:-1]]
        alone, found = after(ksvd, D[j : j + 1], target, codes[j : j + 1])
        assert objective(alone, target, found) <= objective(D[j : j + 1], target, codes[j : j + 1])


def test_repeated_ksvd_of_one_atom_ends_with_the_first_singular_vectors():
    D, X, codes = problem()
    j, users = 5, codes[5].nonzero()[:, 0]
    others = [i for i in range(24) if i != j]
    E = (X - codes[others].T @ D[others])[users]
    d, gamma = D[j : j + 1], codes[j : j + 1, users]
    for _ in range(300):
        d, gamma = after(ksvd, d, E, gamma)
    U, s, Vh = torch.linalg.svd(E, full_matrices=False)
    assert torch.allclose(gamma.T @ d, s[0] * torch.outer(U[:, 0], Vh[0]), atol=1e-6)


def test_ksvd_goes_from_atom_to_atom():
    """Its residual keeps up: the same as one atom at a time."""
    D, X, codes = problem()
    expected, moved = D.clone(), codes.clone()
    for j in range(len(D)):
        others = [i for i in range(24) if i != j]
        target = X - moved[others].T @ expected[others]
        d, gamma = after(ksvd, expected[j : j + 1], target, moved[j : j + 1])
        expected[j], moved[j] = d[0], gamma[0]
    D, codes = after(ksvd, D, X, codes)
    assert torch.allclose(D, expected, atol=1e-10)
    assert torch.allclose(codes, moved, atol=1e-10)


def test_unused_and_double_atoms_become_signals_that_are_represented_worst():
    D, X, codes = problem()
    D[7] = -D[2]
    codes[11] = 0
    new, found = after(replace, D, X, codes, X)
    changed = (new != D).any(1).nonzero()[:, 0].tolist()
    assert changed == [7, 11]
    assert objective(new, X, found) < objective(D, X, codes)
    worst = int((X - codes.T @ D).square().sum(1).argmax())
    assert torch.allclose(new[7], X[worst] / X[worst].norm())
    assert found[7].count_nonzero() == found[11].count_nonzero() == 1
    assert (found.count_nonzero(0) <= codes.count_nonzero(0)).all()
    both = [i for i in range(300) if codes[7, i] != 0 and i != worst and found[11, i] == 0]
    assert torch.allclose(found[2, both], codes[2, both] - codes[7, both])


def test_atoms_that_are_nearly_the_same_stay_if_the_objective_would_rise():
    D, X, _ = problem()
    D[7] = unit((D[2] + 0.1 * D[3])[None])[0]
    assert 0.99 < D[7] @ D[2] < 1
    codes = torch.zeros(24, 300, dtype=torch.float64)
    codes[2, ::2] = codes[7, 1::2] = 1
    X = codes.T @ D
    assert torch.equal(after(replace, D, X, codes, X)[0][7], D[7])


@pytest.mark.parametrize("update", [ksvd, mod])
def test_the_objective_never_rises(update):
    D, X, _ = problem()
    codes = torch.zeros(24, 300, dtype=torch.float64).to_sparse()
    D[1], values = D[0], [objective(D, X, codes)]
    for _ in range(30):
        D, codes, R = learn(D, codes, X, update, SPARSITY)
        values.append(objective(D, X, codes))
        assert float(R.square().sum()) == pytest.approx(values[-1])
    assert all(later <= former for former, later in itertools.pairwise(values))
    assert values[-1] < 0.9 * values[1]
    assert (codes.to_dense().count_nonzero(0) <= SPARSITY).all()


@pytest.mark.parametrize("update", [ksvd, mod])
def test_the_dictionary_that_made_the_signals_is_found(update):
    """The experiment of Aharon et al. 2006, V.A, smaller and without noise: found is what has a cosine of 0.99."""
    truth = problem(size=20, seed=1)[0]
    rng = torch.Generator().manual_seed(2)
    X = torch.stack(
        [
            torch.randn(2, generator=rng, dtype=torch.float64) @ truth[torch.randperm(24, generator=rng)[:2]]
            for _ in range(1000)
        ]
    )
    D, codes = unit(X[:24]), torch.zeros(24, 1000, dtype=torch.float64).to_sparse()
    for _ in range(60):
        D, codes, _ = learn(D, codes, X, update, 2)
    found = (truth @ D.T).abs().amax(1) > 0.99
    assert found.float().mean() > 0.85


def test_cosines_are_the_cosine_transform_where_they_are_as_many_as_pixels():
    transform = torch.from_numpy(dct(np.eye(8), axis=0, norm="ortho")).float()
    assert torch.allclose(cosines(8, 2, 64), torch.kron(transform, transform), atol=1e-6)
    D = cosines(8, 2, 256)
    assert D.shape == (256, 64)
    assert torch.allclose(D.norm(dim=1), torch.ones(256))
    assert (D[1:].sum(1).abs() < 1e-5).all()
    assert cosines(4, 3, 256).shape == (256, 64)

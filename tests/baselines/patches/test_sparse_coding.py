"""Batch OMP against scikit-learn's and against least squares on the support it finds."""

import numpy as np
import pytest
import torch

import baselines.patches.sparse_coding
from baselines.chunks import Chunk
from baselines.patches.sparse_coding import approximations, codes, coefficients


def problem(atoms=40, size=16, signals=60, dtype=torch.float64):
    rng = torch.Generator().manual_seed(0)
    D, X = (torch.randn(count, size, generator=rng, dtype=dtype) for count in (atoms, signals))
    return D / D.norm(dim=1, keepdim=True), X


@pytest.mark.parametrize("atoms", [40, 64], ids=["plain maximum", "maximum by blocks"])
@pytest.mark.parametrize("stop", [{"sparsity": 1}, {"sparsity": 6}, {"sparsity": 16, "error": 1.5}])
def test_it_is_scikit_learns(atoms, stop):
    linear_model = pytest.importorskip("sklearn.linear_model")
    D, X = problem(atoms)
    limit = {"n_nonzero_coefs": stop["sparsity"]}
    if "error" in stop:
        limit = {"tol": stop["error"] ** 2, "norms_squared": X.square().sum(1).numpy()}
        assert (X.norm(dim=1) > stop["error"]).all()  # scikit-learn's always takes an atom
    theirs = linear_model.orthogonal_mp_gram((D @ D.T).numpy(), (D @ X.T).numpy(), **limit)
    ours = coefficients(D, X, **stop).to_dense()
    assert np.allclose(ours, theirs, atol=1e-12)
    assert torch.allclose(approximations(D, X, **stop), ours.T @ D, atol=1e-12)


def test_signals_stop_by_their_error_or_at_the_most_atoms():
    D, X = problem()
    X *= torch.linspace(0, 3, len(X))[:, None]
    found = coefficients(D, X, 4, 2.0).to_dense()
    error, count = (X - found.T @ D).norm(dim=1), found.count_nonzero(0)
    assert ((error <= 2.0) | (count == 4)).all()
    assert (count[X.norm(dim=1) <= 2.0] == 0).all()
    assert set(count.tolist()) == {0, 1, 2, 3, 4}
    for row, column in zip(X, found.T, strict=True):  # the best on its support
        support = column.nonzero()[:, 0]
        expected = torch.linalg.lstsq(D[support].T, row[:, None]).solution[:, 0]
        assert torch.allclose(column[support], expected, atol=1e-12)


def test_batches_do_not_matter(monkeypatch):
    D, X = problem()
    together = coefficients(D, X, 8, 1.0).to_dense()
    monkeypatch.setattr(baselines.patches.sparse_coding, "CHUNK", Chunk(7 * len(D), 0))
    assert len(list(codes(D, X, 8, 1.0))) == 9
    assert torch.allclose(coefficients(D, X, 8, 1.0).to_dense(), together, atol=1e-12)


def test_signals_made_of_few_atoms_come_back():
    """An orthonormal basis leaves no doubt; further atoms than a signal is made of find nothing to add."""
    basis = torch.linalg.qr(problem()[0][:16].T).Q.T.contiguous()
    made = torch.zeros(16, 30, dtype=torch.float64)
    for i in range(30):
        made[torch.randperm(16, generator=torch.Generator().manual_seed(i))[:3], i] = torch.tensor(
            [2.0, -1, 0.5]
        ).double()
    assert torch.allclose(coefficients(basis, made.T @ basis, 3).to_dense(), made, atol=1e-12)
    assert torch.allclose(coefficients(basis, made.T @ basis, 16).to_dense(), made, atol=1e-12)


def test_atoms_that_are_the_same_do_no_harm():
    D, X = problem()
    assert torch.allclose(approximations(torch.cat([D, D, -D]), X, 6), approximations(D, X, 6), atol=1e-12)
    single = problem(dtype=torch.float32)
    assert approximations(torch.cat([single[0]] * 3), single[1], 16).isfinite().all()


def test_nothing_to_code():
    D, X = problem()
    assert not coefficients(D, 0 * X, 5).to_dense().any()
    assert coefficients(D, X[:0], 5).shape == (40, 0)
    assert not approximations(D, X, 5, 100.0).any()

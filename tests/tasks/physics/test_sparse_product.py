"""The product of a GPU, in the interpreter of its compiler: the matrix times the columns, for any number of them."""

import numpy as np
import pytest
import scipy.sparse
import torch

from tasks.physics.sparse_matrix import SparseMatrix, kernel_product
from tests.interpreted import interpret, needs_triton

PROGRAM = """
import numpy as np, scipy.sparse, torch
from tasks.physics.sparse_product import product

rng = np.random.default_rng(0)
matrix = scipy.sparse.random(37, 53, density=0.3, random_state=0, format="csr")
matrix[5] = 0  # a row without entries
matrix = matrix.tocsr()
matrix.eliminate_zeros()
for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-12)):
    starts, places, weights = map(torch.from_numpy, (matrix.indptr, matrix.indices, matrix.data))
    for columns in (1, 3, 8, 11):
        x = rng.standard_normal((columns, 53))
        found = product(starts, places, weights.to(dtype), torch.from_numpy(x).to(dtype))
        assert found.dtype == dtype
        apart = np.abs(found.numpy() - (matrix @ x.T).T).max()
        assert apart < tolerance, (dtype, columns, apart)
x = torch.ones(1, 53)
x[0, 0] = torch.inf
finite = matrix[:, [0]].toarray()[:, 0] == 0
found = product(starts, places, weights.float(), x)[0]
assert np.array_equal(np.isfinite(found.numpy()), finite)  # a pixel of infinity reaches its own rays alone
assert not finite.all()
print("done")
"""


@needs_triton
def test_the_product_is_that_of_scipy():
    interpret(PROGRAM)


def test_a_kernel_that_fails_is_told_with_its_reason():
    with pytest.warns(UserWarning, match="CT uses the slower product of PyTorch on this GPU, as its own failed: "):
        assert kernel_product.__wrapped__(torch.device("cpu")) is None


def test_the_product_can_be_derived_twice():
    matrix = SparseMatrix(scipy.sparse.csr_array(np.array([[1.0, 2.0], [0.0, 3.0]])))
    dense = torch.tensor([[1.0, 2.0], [0.0, 3.0]])
    x = torch.tensor([[[1.0, -1.0]]], requires_grad=True)
    y = matrix(x, (1, 1, 1, 2))
    assert torch.allclose(y, (x @ dense.T)[None])
    (gradient,) = torch.autograd.grad((y**3).sum(), x, create_graph=True)
    assert gradient.shape == x.shape
    assert torch.allclose(gradient, 3 * (x @ dense.T) ** 2 @ dense)
    (second,) = torch.autograd.grad(gradient.sum(), x)
    assert torch.allclose(second, 6 * (dense.sum(1) * (x @ dense.T)) @ dense)

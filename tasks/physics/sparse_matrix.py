"""A stored sparse matrix ``M`` as a differentiable map: ``y = M x``, ``x = M^T y``, each from its own CSR form.

Both forms are stored because a product with a transposed CSR matrix is several times slower than one with a CSR matrix.
A batch is one sparse-dense product on a CPU, and one pass for eight images on a GPU. Products run in the dtype and on
the device of their argument; what they need there is made on first use and kept.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cache, cached_property, partial
from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

Map = Callable[[Tensor], Tensor]

NORM_TOLERANCE = 1e-7  # relative change of the norm at which the power iteration stops
NORM_ITERATIONS = 200


class SparseMatrix:
    """An immutable matrix of shape (m, n), shared by all operators that use it; deep copies are the object itself."""

    def __init__(self, matrix: scipy.sparse.csr_array, norm: float | None = None):
        self.matrix = matrix  # float64, int32 indices
        self._norm = norm
        self._products: dict[tuple[torch.device, torch.dtype, bool], Map] = {}
        self._parts: dict[bytes, SparseMatrix] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> SparseMatrix:
        return self  # torch cannot copy sparse CSR tensors, and nothing here is ever changed

    @cached_property
    def transpose(self) -> scipy.sparse.csr_array:
        return self.matrix.T.tocsr()

    @cached_property
    def norm(self) -> float:
        """The largest singular value, by power iteration from a constant (the weights are not negative)."""
        if self._norm is not None:
            return self._norm
        x = np.ones(self.matrix.shape[1])
        norm = 0.0
        for _ in range(NORM_ITERATIONS):
            x = self.transpose @ (self.matrix @ (x / np.linalg.norm(x)))
            last, norm = norm, float(np.linalg.norm(x))
            if norm - last <= NORM_TOLERANCE * norm:
                break
        return norm**0.5

    def rows(self, index: np.ndarray) -> SparseMatrix:
        """The matrix of some rows in rising order, made once."""
        if len(index) == self.matrix.shape[0]:
            return self
        key = index.tobytes()
        if key not in self._parts:
            self._parts[key] = SparseMatrix(self.matrix[index])
        return self._parts[key]

    def product_on(self, device: torch.device, dtype: torch.dtype, transposed: bool) -> Map:
        """The product with the matrix or its transpose, of columns that are given as rows, (B, n) to (B, m)."""
        key = (device, dtype, transposed)
        if key not in self._products:
            csr = self.transpose if transposed else self.matrix
            arrays = (torch.from_numpy(csr.indptr), torch.from_numpy(csr.indices), torch.from_numpy(csr.data).to(dtype))
            starts, places, weights = (array.to(device) for array in arrays)
            if device.type == "cuda" and (product := kernel_product(device)) is not None:
                self._products[key] = partial(product, starts, places, weights)
            else:
                self._products[key] = partial(library_product, csr_tensor(starts, places, weights, csr.shape))
        return self._products[key]

    def __call__(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        """M x. The values of ``x`` are rows of n, whatever its shape; the result, rows of m, has ``shape``."""
        return self.product(x, False, shape)

    def adjoint(self, y: Tensor, shape: Sequence[int]) -> Tensor:
        """Mᵀ y. The values of ``y`` are rows of m, whatever its shape; the result, rows of n, has ``shape``."""
        return self.product(y, True, shape)

    def product(self, x: Tensor, transposed: bool, shape: Sequence[int]) -> Tensor:
        """M x or Mᵀ x, in ``shape``. Autograd is left out where no gradient is wanted."""
        if torch.is_grad_enabled():
            return _Product.apply(x, self, transposed, shape)
        return self.multiply(x, transposed, shape)

    def multiply(self, x: Tensor, transposed: bool, shape: Sequence[int]) -> Tensor:
        rows = x.reshape(-1, self.matrix.shape[0 if transposed else 1])
        return self.product_on(x.device, x.dtype, transposed)(rows).reshape(shape)


@cache
def kernel_product(device: torch.device) -> Callable[..., Tensor] | None:
    """The product of `tasks.physics.sparse_product`, tried once on a GPU; None, with a warning, where it fails.

    It needs Triton, and Triton a C compiler and the headers of Python.
    """
    try:
        from tasks.physics.sparse_product import product

        starts, places = (torch.tensor(values, dtype=torch.int32, device=device) for values in ([0, 1], [0]))
        product(starts, places, torch.ones(1, device=device), torch.ones(8, 1, device=device))
        return product
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        warnings.warn(f"CT uses the slower product of PyTorch on this GPU, as its own failed: {reason}", stacklevel=2)
        return None


def csr_tensor(starts: Tensor, places: Tensor, weights: Tensor, shape: tuple[int, ...]) -> Tensor:
    """PyTorch's tensor of a ``shape`` (m, n): where its rows start (m + 1,), the columns and weights of entries."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse", category=UserWarning)  # "... is in beta state"
        return torch.sparse_csr_tensor(starts, places, weights, shape, check_invariants=False)


def library_product(matrix: Tensor, x: Tensor) -> Tensor:
    """PyTorch's product with a CSR tensor (m, n), of rows (B, n): (B, m)."""
    return (matrix @ x[0])[None] if x.shape[0] == 1 else (matrix @ x.T.contiguous()).T


class _Product(torch.autograd.Function):
    """A product as one node of autograd, shapes included: on a GPU the nodes take longer than the product.

    A ``setup_context`` of its own, which `torch.func` asks for, would double their time.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: SparseMatrix, transposed: bool, shape: Sequence[int]) -> Tensor:
        ctx.matrix, ctx.transposed, ctx.shape = matrix, transposed, x.shape
        return matrix.multiply(x, transposed, shape)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return ctx.matrix.product(gradient, not ctx.transposed, ctx.shape), None, None, None

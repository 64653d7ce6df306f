"""A stored sparse matrix ``M`` as a differentiable map: ``y = M x``, ``x = M^T y``, each from its own CSR form.

Both forms are stored because a product with a transposed CSR matrix is several times slower than one with a CSR matrix.
A batch is one sparse-dense product. Products run in the dtype and on the device of their argument; the form needed for
these is made on first use and kept.
"""

from __future__ import annotations

import warnings
from functools import cache, cached_property
from importlib.util import find_spec
from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

NORM_TOLERANCE = 1e-7  # relative change of the norm at which the power iteration stops
NORM_ITERATIONS = 200


class SparseMatrix:
    """An immutable matrix of shape (m, n), shared by all operators that use it; deep copies are the object itself."""

    def __init__(self, matrix: scipy.sparse.csr_array, norm: float | None = None):
        self.matrix = matrix  # float64, int32 indices
        self._norm = norm
        self._forms: dict[tuple[torch.device, torch.dtype, bool], Tensor] = {}
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

    def form(self, device: torch.device, dtype: torch.dtype, transposed: bool) -> Tensor:
        """The matrix or its transpose as a torch CSR tensor."""
        key = (device, dtype, transposed)
        if key not in self._forms:
            csr = self.transpose if transposed else self.matrix
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Sparse", category=UserWarning)  # "... is in beta state"
                self._forms[key] = torch.sparse_csr_tensor(
                    torch.from_numpy(csr.indptr),
                    torch.from_numpy(csr.indices),
                    torch.from_numpy(csr.data).to(dtype),
                    csr.shape,
                    check_invariants=False,
                ).to(device)
        return self._forms[key]

    def __call__(self, x: Tensor) -> Tensor:  # (B, n) -> (B, m)
        return self.product(x, transposed=False)

    def adjoint(self, y: Tensor) -> Tensor:  # (B, m) -> (B, n)
        return self.product(y, transposed=True)

    def product(self, x: Tensor, transposed: bool) -> Tensor:
        if x.requires_grad and torch.is_grad_enabled():
            return _Product.apply(x, self, transposed)
        return self._product(x, transposed)

    def _product(self, x: Tensor, transposed: bool) -> Tensor:
        form = self.form(x.device, x.dtype, transposed)
        if x.is_cuda and has_triton():
            from tasks.physics.sparse_product import product

            with torch.cuda.device_of(x):
                return product(form, x)
        if len(x) == 1:
            return (form @ x[0])[None]
        return (form @ x.T.contiguous()).T


@cache
def has_triton() -> bool:
    """Whether PyTorch came with the compiler of `tasks.physics.sparse_product`."""
    return find_spec("triton") is not None


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, matrix: SparseMatrix, transposed: bool) -> Tensor:
        return matrix._product(x, transposed)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, SparseMatrix, bool], output: Tensor) -> None:
        _, ctx.matrix, ctx.transposed = inputs

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return ctx.matrix.product(gradient, not ctx.transposed), None, None

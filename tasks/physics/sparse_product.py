"""``M X`` on a GPU, for a sparse matrix M in CSR form and few columns of X: one pass over M for all of them.

A program takes a few rows of M and runs along their entries. Each entry is read once; the values that all columns have
at its place lie side by side. Rows are summed in a fixed order, so that the same product gives the same bits. cuSPARSE
takes several times as long for matrices of line integrals.

Triton comes with PyTorch for CUDA on Linux. This module needs it; `tasks.physics.sparse_matrix` does without.
"""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

COLUMNS = 8  # of X, that one pass serves
ROWS, ENTRIES, WARPS = 4, 32, 4  # rows of a program, entries of each that are read at once, warps: by trials on an H100


def product(matrix: Tensor, x: Tensor, rows: int = ROWS, entries: int = ENTRIES, warps: int = WARPS) -> Tensor:
    """M times the columns ``x``, which are given as rows (B, n): (B, m). ``matrix`` is a CSR tensor (m, n)."""
    starts, places, weights = matrix.crow_indices(), matrix.col_indices(), matrix.values()
    length = len(starts) - 1
    out = x.new_empty(len(x), length)
    for first in range(0, len(x), COLUMNS):
        columns = x[first : first + COLUMNS]
        count = triton.next_power_of_2(len(columns))
        if count == len(columns):
            together = columns.T.contiguous()
        else:
            together = x.new_zeros(x.shape[1], count)
            together[:, : len(columns)] = columns.T
        csr_times_columns[(triton.cdiv(length, rows),)](
            starts,
            places,
            weights,
            together,
            out[first:],
            length,
            len(columns),
            COLUMNS=count,
            ROWS=rows,
            ENTRIES=entries,
            num_warps=warps,
        )
    return out


@triton.jit
def csr_times_columns(
    starts,  # (rows + 1,): where the entries of each row start
    places,  # of the entries, by column of M
    weights,  # of the entries
    x,  # (n, COLUMNS)
    y,  # (columns, rows)
    rows,
    columns,
    COLUMNS: tl.constexpr,  # columns, or the next power of two
    ROWS: tl.constexpr,
    ENTRIES: tl.constexpr,
):
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, COLUMNS)
    start = tl.load(starts + row, mask=row < rows, other=0)
    end = tl.load(starts + row + 1, mask=row < rows, other=0)
    double: tl.constexpr = weights.dtype.element_ty == tl.float64
    total = tl.zeros((ROWS, ENTRIES, COLUMNS), dtype=tl.float64 if double else tl.float32)
    for first in range(0, tl.max(end - start, axis=0), ENTRIES):
        entry = start[:, None] + first + tl.arange(0, ENTRIES)[None, :]
        there = entry < end[:, None]
        place = tl.load(places + entry, mask=there, other=0)
        weight = tl.load(weights + entry, mask=there, other=0.0)
        total += weight[:, :, None] * tl.load(x + place[:, :, None] * COLUMNS + column[None, None, :])
    to = y + column[None, :] * rows + row[:, None]
    tl.store(to, tl.sum(total, axis=1), mask=(row < rows)[:, None] & (column < columns)[None, :])

"""``M X`` on a GPU, for a sparse matrix M in CSR form: one pass over M for every eight columns of X.

A program takes a few rows of M and runs along their entries. Each entry is read once; the values that all columns have
at its place lie side by side. Rows are summed in a fixed order, so that the same product gives the same bits. cuSPARSE
takes several times as long for matrices of line integrals.

Triton comes with PyTorch for CUDA on Linux. This module needs it; `tasks.physics.sparse_matrix` does without.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn.functional import pad

COLUMNS = 8  # of X, that one pass serves
ROWS, ENTRIES, WARPS = 2, 32, 1  # rows of a program, entries of each that are read at once, warps: by trials on an H100


def product(starts: Tensor, places: Tensor, weights: Tensor, x: Tensor) -> Tensor:
    """M times the columns ``x``, which are given as rows (B, n): (B, m).

    Of M in CSR form: where its rows start (m + 1,), the columns of its entries, and their weights.
    """
    rows, batch = starts.shape[0] - 1, x.shape[0]
    out = x.new_empty(batch, rows)
    for first in range(0, batch, COLUMNS):
        columns = min(COLUMNS, batch - first)
        count = 1 << (columns - 1).bit_length()
        together = x[first : first + COLUMNS].T
        if count > columns:
            together = pad(together, (0, count - columns))
        with torch.cuda.device_of(x):
            csr_times_columns[(-(-rows // ROWS),)](
                starts,
                places,
                weights,
                together.contiguous(),
                out[first:],
                rows,
                columns,
                COLUMNS=count,
                ROWS=ROWS,
                ENTRIES=ENTRIES,
                num_warps=WARPS,
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
        weight = tl.load(weights + entry, mask=there, other=0.0).to(total.dtype)
        found = tl.load(x + place[:, :, None] * COLUMNS + column[None, None, :], mask=there[:, :, None], other=0.0)
        total += weight[:, :, None] * found.to(total.dtype)
    to = y + column[None, :] * rows + row[:, None]
    tl.store(to, tl.sum(total, axis=1), mask=(row < rows)[:, None] & (column < columns)[None, :])

"""c = h * x, circular convolutions with learned filters h = Σ_m γ_m b_m of 3x3 (3x3x3) pixels, b_m cosines

The cosines are the atoms of the discrete cosine transform. Divided by 3 (by 27^½), all of them together are a tight
frame: the squares of their spectra sum to one.
"""

from __future__ import annotations

from functools import reduce

import numpy as np
import torch
from scipy.fft import dct
from torch import Tensor
from torch.nn.functional import conv2d, conv3d, pad

SIDE = 3  # of a filter
CORRELATE = {2: conv2d, 3: conv3d}


def cosines(dims: int) -> Tensor:
    """The constant and the other cosines, (9 or 27, 3, 3), the first axis in the fastest frequency."""
    line = dct(np.eye(SIDE), axis=0, norm="ortho")
    matrix: np.ndarray = reduce(lambda a, b: np.kron(a, b), [line] * dims)
    atoms = matrix.reshape(-1, *[SIDE] * dims)
    return torch.from_numpy(atoms.transpose(0, *range(dims, 0, -1)).copy()).float()


def combine(coefficients: Tensor, basis: Tensor) -> Tensor:
    """Filters (L, 1, 3, 3) from coefficients (L, M) in a basis (M, 3, 3)."""
    return torch.einsum("lm,m...->l...", coefficients, basis).unsqueeze(1)


def convolve(x: Tensor, filters: Tensor) -> Tensor:
    """Circular convolution of images (B, 1, ...) with filters (L, 1, 3, ...), (B, L, ...)."""
    return correlate(x, filters.flip(tuple(range(2, filters.ndim))))


def convolve_adjoint(c: Tensor, filters: Tensor) -> Tensor:
    """The adjoint of `convolve`: (B, L, ...) to (B, 1, ...)."""
    return correlate(c, filters.transpose(0, 1))


def correlate(x: Tensor, filters: Tensor) -> Tensor:
    dims = x.ndim - 2
    return CORRELATE[dims](pad(x, [1] * (2 * dims), mode="circular"), filters)


def pad_to(filters: Tensor, size: torch.Size) -> Tensor:
    """Filters (L, 3, ...) with zeros beyond, (L, *size); the shift of the origin leaves |ĥ| as it is."""
    missing = [n - SIDE for n in reversed(size)]
    return pad(filters, [side for n in missing for side in (0, n)])

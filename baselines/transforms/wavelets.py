"""c = Wx, x = Wᵀc with WᵀW = WWᵀ = I: orthonormal wavelets in n dimensions, with periodic boundaries.

Each level filters its approximation along every axis with a low-pass h and a high-pass g and keeps every second sample,
(h∗x)↓2 and (g∗x)↓2. Coefficients keep the shape of the image, nested as usual: the approximation stands in the
first corner, halved by every level, and the details around it, the finest outermost.

Sides that 2^levels does not divide are extended. The synthesis then crops, D = crop∘Wᵀ. Its rows are still orthonormal,
DDᵀ = I (a Parseval frame), and Dᵀ = W∘(extension by zeros). The extension E by the edge's value gives sparser
coefficients WEx of the same image, D(WEx) = x. Where nothing is extended, D = Wᵀ and WEx = Dᵀx = Wx.

S. Mallat, A theory for multiresolution signal decomposition: the wavelet representation, IEEE TPAMI 1989.
I. Daubechies, Ten lectures on wavelets, SIAM 1992 (the filters: Haar, db2, ..., and the symlets sym2, ...).
"""

from __future__ import annotations

from collections.abc import Sequence
from types import EllipsisType

import pywt
import torch
from torch import Tensor

from bench.errors import BenchError


class Wavelets:
    """The transform for images like ``image`` (B, C, ...), on its device and in its precision.

    ``weights`` (of the shape of the coefficients of one channel) is 1 at details and 0 at the approximation, which a
    prior leaves alone. There is at least one level, and no further one whose approximation would be shorter than the
    filter.

    A level multiplies lines by a dense matrix. On a CPU, for 8 taps and up to 256 pixels a side, this is about as fast
    as strided convolution, sums of shifted slices or banded blocks; at 512 pixels it is some three times slower.
    """

    def __init__(self, image: Tensor, wavelet: str = "sym4", levels: int = 4) -> None:
        self.shape = image.shape[2:]
        levels = max(1, min(levels, pywt.dwt_max_level(min(self.shape), wavelet)))
        self.padded = tuple(-(-n // 2**levels) * 2**levels for n in self.shape)
        sides = [[n >> level for n in self.padded] for level in range(levels)]
        self.matrices = [[filters(wavelet, n, like=image) for n in side] for side in sides]  # by level, then by axis
        self.weights = image.new_ones(self.padded)
        self.weights[corner([n >> levels for n in self.padded])] = 0

    def analysis(self, x: Tensor) -> Tensor:
        """Coefficients WEx of ``x`` (B, C, ...), extended by its edge. `synthesis` inverts it."""
        for axis, (n, padded) in enumerate(zip(self.shape, self.padded, strict=True), start=2):
            if padded > n:
                x = x.index_select(axis, torch.arange(padded, device=x.device).clamp(max=n - 1))
        return self.transform(x)

    def synthesis(self, c: Tensor) -> Tensor:
        """The image Dc of coefficients (B, C, ...)."""
        return self.inverse(c)[corner(self.shape)]

    def synthesis_adjoint(self, x: Tensor) -> Tensor:
        """Dᵀx: the coefficients of the image extended by zeros, `analysis` where nothing is extended."""
        if self.padded != tuple(self.shape):
            extended = x.new_zeros(*x.shape[:2], *self.padded)
            extended[corner(self.shape)] = x
            x = extended
        return self.transform(x)

    def transform(self, x: Tensor) -> Tensor:
        """Wx of an image whose sides 2^levels divides."""
        c = x.clone()
        for matrices in self.matrices:
            approximation = c[corner([len(matrix) for matrix in matrices])]
            approximation.copy_(along_axes(matrices, approximation))
        return c

    def inverse(self, c: Tensor) -> Tensor:
        """Wᵀc."""
        x = c.clone()
        for matrices in reversed(self.matrices):
            approximation = x[corner([len(matrix) for matrix in matrices])]
            approximation.copy_(along_axes([matrix.T for matrix in matrices], approximation))
        return x


def check_orthonormal(wavelet: str) -> None:
    """Raises `BenchError` where PyWavelets has no orthonormal wavelet of this name; dmey is only nearly one."""
    if wavelet not in pywt.wavelist(kind="discrete"):
        raise BenchError(f"wavelet={wavelet} is not known to PyWavelets: choose haar, db2 to db38 or sym2 to sym20.")
    if wavelet == "dmey" or not pywt.Wavelet(wavelet).orthogonal:
        raise BenchError(f"wavelet={wavelet} is not orthonormal: choose haar, db2 to db38 or sym2 to sym20.")


def corner(sides: Sequence[int]) -> tuple[slice | EllipsisType, ...]:
    """The index of the first ``sides`` samples of the spatial axes."""
    return (..., *(slice(n) for n in sides))


def filters(wavelet: str, n: int, like: Tensor) -> Tensor:
    """One level on n samples as an orthonormal matrix (n, n): h∗ at every second sample, then g∗.

    The alignment is the one of PyWavelets' mode "periodization". A filter longer than n wraps around several times.
    """
    bank = pywt.Wavelet(wavelet)
    rows = torch.arange(n // 2)
    matrix = torch.zeros(n, n, dtype=torch.float64)
    for k, (low, high) in enumerate(zip(bank.dec_lo, bank.dec_hi, strict=True)):
        columns = (2 * rows + bank.dec_len // 2 - k) % n
        matrix[rows, columns] += low
        matrix[n // 2 + rows, columns] += high
    return matrix.to(like)


def along_axes(matrices: list[Tensor], x: Tensor) -> Tensor:
    """``x`` (B, C, ...) with its lines along each spatial axis times that axis' matrix."""
    for axis, matrix in enumerate(matrices, start=2):
        x = (x.movedim(axis, -1) @ matrix.T).movedim(-1, axis)
    return x

"""Convolution with a circular boundary: ``A x = F^-1 (H · F x)`` with a transfer function ``H`` and real ``x``.

Diagonal in Fourier space, so that the adjoint, ``prox_l2`` and the pseudo-inverse are closed forms. ``F`` is the real
FFT over all axes but the batch and the channels; ``H`` is kept on its half spectrum.
"""

from __future__ import annotations

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor

SINGULAR = 1e-5  # |H| below which the pseudo-inverse takes a frequency as lost


class CircularConvolution(LinearPhysics):
    """A convolution on any grid and device, in float32 or float64 as ``x`` is; a subclass defines ``H``."""

    def transfer(self, x: Tensor) -> Tensor:
        """``H`` on the half spectrum of a grid like ``x``'s, on its device and in its precision."""
        raise NotImplementedError

    def spectrum(self, x: Tensor) -> Tensor:
        return torch.fft.rfftn(x, dim=_grid(x))

    def image(self, spectrum: Tensor, like: Tensor) -> Tensor:
        return torch.fft.irfftn(spectrum, s=like.shape[2:], dim=_grid(like))

    def A(self, x: Tensor) -> Tensor:
        return self.image(self.transfer(x) * self.spectrum(x), x)

    def A_adjoint(self, y: Tensor) -> Tensor:
        return self.image(self.transfer(y).conj() * self.spectrum(y), y)

    def A_adjoint_A(self, x: Tensor) -> Tensor:
        return self.image(_power(self.transfer(x)) * self.spectrum(x), x)

    def A_A_adjoint(self, y: Tensor) -> Tensor:
        return self.A_adjoint_A(y)

    def regularised_inverse(self, y: Tensor, penalty: Tensor | float) -> Tensor:
        """``argmin_x |A x - y|^2 + Σ_k penalty(k) |(F x)(k)|^2``: a Wiener filter, where penalty is noise to signal."""
        transfer = self.transfer(y)
        return self.image(transfer.conj() * self.spectrum(y) / (_power(transfer) + penalty), y)

    def prox_l2(self, z: Tensor | float | None, y: Tensor, gamma: Tensor | float) -> Tensor:
        """``argmin_x γ/2 |A x - y|^2 + 1/2 |x - z|^2``; ``gamma`` a number or one per image."""
        if not isinstance(z, Tensor):
            z = torch.full_like(y, z or 0.0)
        if isinstance(gamma, Tensor):
            gamma = gamma.reshape(-1, *[1] * (y.ndim - 1))
        transfer = self.transfer(y)
        right = gamma * transfer.conj() * self.spectrum(y) + self.spectrum(z)
        return self.image(right / (1 + gamma * _power(transfer)), y)

    def A_dagger(self, y: Tensor) -> Tensor:
        """The least-squares solution of least norm."""
        transfer = self.transfer(y)
        lost = transfer.abs() < SINGULAR
        return self.image(torch.where(lost, 0, self.spectrum(y) / torch.where(lost, 1, transfer)), y)


def frequencies(like: Tensor, spacing: tuple[float, ...] | None = None) -> list[Tensor]:
    """The frequencies (cycles per unit of ``spacing``, float64) of each axis of the half spectrum, to be broadcast."""
    shape = like.shape[2:]
    spacing = spacing or (1.0,) * len(shape)
    last = len(shape) - 1
    axes = [
        (torch.fft.rfftfreq if axis == last else torch.fft.fftfreq)(n, d, dtype=torch.float64, device=like.device)
        for axis, (n, d) in enumerate(zip(shape, spacing, strict=True))
    ]
    return [axis.reshape([-1 if i == j else 1 for j in range(len(axes))]) for i, axis in enumerate(axes)]


def _grid(x: Tensor) -> tuple[int, ...]:
    return tuple(range(2, x.ndim))


def _power(transfer: Tensor) -> Tensor:
    return (transfer * transfer.conj()).real

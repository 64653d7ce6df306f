"""Quantitative susceptibility mapping: ``y = F^-1 (D · F x)``, ``D(k) = 1/3 - (k · b)^2 / |k|^2``, ``D(0) = 0``.

x: susceptibility in ppm, y: field shift relative to B0 in ppm, both (B, 1, D, H, W); k in cycles per mm; b: direction
of B0, a unit vector in the frame of the array axes. The boundary is circular. ``A`` is its own adjoint.

J. P. Marques and R. Bowtell, Application of a Fourier-Based Method for Rapid Calculation of Field Inhomogeneity due to
Spatial Variation of Magnetic Susceptibility, Concepts in Magnetic Resonance B 25(1), 2005.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from deepinv.physics.noise import NoiseModel
from torch import Tensor

from tasks.physics.convolution import CircularConvolution, frequencies
from tasks.physics.placing import put_on

Vector = tuple[float, float, float]


class Dipole(CircularConvolution):
    """``voxel``: sides of a voxel in mm; ``b0``: direction of the main field, normalised here; both by array axis.

    ``mask`` (B, 1, D, H, W) is where the map is wanted: direct reconstructions are zero outside; ``A`` ignores it.
    """

    operator_norm = 2 / 3  # of |D|, attained along B0

    def __init__(
        self,
        voxel: Vector = (1.0, 1.0, 1.0),
        b0: Vector = (0.0, 0.0, 1.0),
        noise_model: NoiseModel | None = None,
        device: torch.device | str = "cpu",
        mask: Tensor | None = None,
    ):
        super().__init__()
        put_on(self, noise_model, device)
        self.mask = mask
        self.voxel = tuple(float(side) for side in voxel)
        self.b0 = tuple(float(b) / math.hypot(*b0) for b in b0)

    def transfer(self, x: Tensor) -> Tensor:
        return dipole_kernel(tuple(x.shape[2:]), self.voxel, self.b0, x.dtype, x.device)

    def direct(self, y: Tensor, threshold: float = 0.2) -> Tensor:
        """Thresholded k-space division (TKD): divides by ``D``, where ``|D| < threshold`` by ``threshold · sign(D)``.

        The sign of 0 is taken as +1. K. Shmueli et al., Magnetic Susceptibility Mapping of Brain Tissue In Vivo Using
        MRI Phase Data, MRM 62(6), 2009.
        """
        kernel = self.transfer(y)
        truncated = torch.where(kernel >= 0, threshold, -threshold).to(kernel)
        x = self.image(self.spectrum(y) / torch.where(kernel.abs() < threshold, truncated, kernel), y)
        return x if self.mask is None else x * self.mask

    def closed_form_tikhonov(self, y: Tensor, regularization: float = 0.1) -> Tensor:
        """``argmin_x |A x - y|^2 + λ |∇ x|^2`` with forward differences per mm, λ = ``regularization`` in mm^2.

        B. Bilgic et al., Fast Quantitative Susceptibility Mapping with L1-Regularization and Automatic Parameter
        Selection, MRM 72(5), 2014, eq. 5.
        """
        squares = [
            (2 * torch.sin(math.pi * k * side) / side) ** 2
            for k, side in zip(frequencies(y, self.voxel), self.voxel, strict=True)
        ]
        gradient = (squares[0] + squares[1] + squares[2]).to(y)
        # Neither the field nor the penalty sees the mean: it is set to zero.
        x = self.regularised_inverse(y, torch.where(gradient == 0, 1.0, regularization * gradient))
        return x if self.mask is None else x * self.mask


@lru_cache(maxsize=16)
def dipole_kernel(
    shape: tuple[int, int, int], voxel: Vector, b0: Vector, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """``D`` on the half spectrum of ``shape``, the mean of ``D(k)`` and ``D(-k)``.

    The two differ at the Nyquist frequencies of an even grid if B0 is oblique; without the mean the field of a real
    susceptibility would not be real there, nor ``A`` its own adjoint.
    """
    k = frequencies(torch.empty((1, 1, *shape), device=device), voxel)
    square = k[0] ** 2 + k[1] ** 2 + k[2] ** 2
    square[0, 0, 0] = 1.0
    last = k[2].clone()
    if shape[2] % 2 == 0:
        last[..., -1] *= -1  # rfftfreq and fftfreq differ in the sign of the Nyquist frequency
    along = k[0] * b0[0] + k[1] * b0[1] + last * b0[2]
    opposite = _nyquist_kept(k[0], shape[0]) * b0[0] + _nyquist_kept(k[1], shape[1]) * b0[1]
    opposite = opposite + _nyquist_kept(last, shape[2]) * b0[2]
    kernel = 1 / 3 - (along**2 + opposite**2) / (2 * square)
    kernel[0, 0, 0] = 0.0
    return kernel.to(dtype)


def _nyquist_kept(k: Tensor, n: int) -> Tensor:
    """``-k`` on the grid: the Nyquist frequency of an even ``n`` is its own opposite."""
    if n % 2:
        return -k
    nyquist = k.abs() == k.abs().max()
    return torch.where(nyquist, k, -k)

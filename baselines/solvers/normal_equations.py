"""(AᵀA/‖A‖² + R) x = b,   R = Fᴴ diag(r) F a circular convolution

The linear step of splittings whose quadratic terms are circular filters: r = Σ_l ρ_l |ĥ_l|² in ADMM-Net, r = ρ in
ADMM-CSNet and MoDL. Where AᵀA is a circular convolution too (denoising, blur, one coil of MRI, a dipole kernel), the
system is diagonal in the discrete Fourier transform F, and one division solves it. Elsewhere a few conjugate gradients
do, from the last x.

Whether AᵀA is such a convolution is found out: its response to an impulse gives the spectrum s of every image, and a
seeded random image must then give Fᴴ diag(s) F. A complex image (C = 2) has one complex spectrum. The real image of a
complex solution is taken as it is, as ADMM-Net's authors do.
"""

from __future__ import annotations

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor

from baselines.conjugate_gradient import conjugate_gradient
from bench.contract.operators import operator_norm

CLOSE = 1e-4  # relative to the largest value: single precision leaves about 1e-6
STEPS = 10  # conjugate gradients in place of a division; set by hand
SMALLEST = 1e-6  # stands for a zero of s + r, as in the code of ADMM-Net


class NormalEquations:
    """The system of one batch of measurements ``y`` of images (B, C, ...), which are in units of ``unit`` (B, 1, ...).

    ``A_adjoint_y`` is Aᵀy/‖A‖² in that unit, the part of b that comes from the measurement.
    """

    def __init__(self, y: Tensor, physics: LinearPhysics, unit: Tensor | float = 1.0) -> None:
        self.physics = physics
        self.norm = operator_norm(physics, y)
        self.A_adjoint_y = physics.A_adjoint(y) / (self.norm**2 * unit)
        with torch.no_grad():
            self.spectrum = self.find_spectrum(self.A_adjoint_y.detach())

    def A_adjoint_A(self, x: Tensor) -> Tensor:
        return self.physics.A_adjoint(self.physics.A(x)) / self.norm**2

    def find_spectrum(self, like: Tensor) -> Tensor | None:
        """s of each image, (B, 1 or C, ...), real; None where AᵀA is no circular convolution."""
        impulse = torch.zeros_like(like)
        impulse.flatten(2)[:, :: 2 if like.shape[1] == 2 else 1, 0] = 1
        spectrum = transform(self.A_adjoint_A(impulse)).real
        rng = torch.Generator().manual_seed(0)
        x = torch.randn(like.shape[1:], generator=rng).to(like).expand(like.shape)
        expected = self.A_adjoint_A(x)
        error = (inverse(spectrum * transform(x), like.shape[1]) - expected).abs().max()
        return spectrum if float(error) <= CLOSE * float(expected.abs().max()) else None

    def solve(self, b: Tensor, r: Tensor, start: Tensor) -> Tensor:
        """x for the right side ``b`` (B, C, ...), and ``r``, a number or real and of the size of an image."""
        if self.spectrum is not None:
            divisor = self.spectrum + r
            divisor = torch.where(divisor == 0, SMALLEST, divisor)
            return inverse(transform(b) / divisor, b.shape[1])

        def system(x: Tensor) -> Tensor:
            return self.A_adjoint_A(x) + inverse(r * transform(x), x.shape[1])

        return conjugate_gradient(system, b, start, STEPS)


def transform(x: Tensor) -> Tensor:
    """F of images (B, C, ...); the two channels of a complex image give one, (B, 1, ...)."""
    z = torch.complex(x[:, :1], x[:, 1:]) if x.shape[1] == 2 else x
    return torch.fft.fftn(z, dim=tuple(range(2, x.ndim)))


def inverse(spectrum: Tensor, channels: int) -> Tensor:
    """The images (B, C, ...) of `transform`; of real images the real part."""
    z = torch.fft.ifftn(spectrum, dim=tuple(range(2, spectrum.ndim)))
    return torch.cat([z.real, z.imag], 1) if channels == 2 else z.real

"""x̄ = e^{−iφ} x / rms(x_ref): images in units of their root mean square, without their smooth phase

A method that sees normalised images does not depend on the unit of the image, and one recipe serves attenuations, ppm
and grey values. The smooth phase φ of a complex image is taken at low resolution, as in homodyne reconstruction.
Without it the real part holds most of the image.

D. Noll, D. Nishimura, A. Macovski, Homodyne detection in magnetic resonance imaging, IEEE TMI 1991.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Cycles per pixel, standard deviation of a Gaussian window. Set by hand, to lie inside of the fully sampled centre of
# k-space that accelerated scans calibrate their coils on.
PHASE_BANDWIDTH = 0.03
TINY = 1e-12  # the scale of a black image


class Normalisation:
    """The unit and the phase of each image of a batch ``reference`` (B, C, ...); C = 2 is taken as complex."""

    def __init__(self, reference: Tensor) -> None:
        self.scale = rms(reference)
        self.phase = smooth_phase(reference) if reference.shape[1] == 2 else None

    def normalise(self, x: Tensor) -> Tensor:
        """Images ``x`` (B, C, ...), or several along the channels, in units of the scale and without the phase."""
        return self.remove_phase(x / self.scale)

    def undo(self, x: Tensor) -> Tensor:
        """The inverse of `normalise`."""
        return self.add_phase(x * self.scale)

    def remove_phase(self, x: Tensor) -> Tensor:
        """``x`` times e^{−iφ}."""
        return x if self.phase is None else rotate(x, self.phase.conj())

    def add_phase(self, x: Tensor) -> Tensor:
        """``x`` times e^{iφ}."""
        return x if self.phase is None else rotate(x, self.phase)


def rms(x: Tensor) -> Tensor:
    """Root mean square of each image of a batch, (B, 1, ...)."""
    return x.square().mean(dim=tuple(range(1, x.ndim)), keepdim=True).sqrt().clamp(min=TINY)


def smooth_phase(x: Tensor) -> Tensor:
    """e^{iφ}, φ the phase at low resolution of complex images (B, 2, ...), as complex numbers (B, 1, ...)."""
    axes = tuple(range(2, x.ndim))
    spectrum = torch.fft.fftn(torch.complex(x[:, :1], x[:, 1:]), dim=axes)
    for axis in axes:
        k = torch.fft.fftfreq(x.shape[axis], device=x.device, dtype=x.dtype)
        window = torch.exp(-0.5 * (k / PHASE_BANDWIDTH) ** 2)
        spectrum = spectrum * window.reshape([-1 if i == axis else 1 for i in range(x.ndim)])
    phase = torch.fft.ifftn(spectrum, dim=axes).angle()
    return torch.polar(torch.ones_like(phase), phase)


def rotate(x: Tensor, phase: Tensor) -> Tensor:
    """Complex images, real and imaginary part in turn along the channels (B, 2m, ...), times e^{iφ} (B, 1, ...)."""
    z = torch.complex(x[:, 0::2], x[:, 1::2]) * phase
    return torch.stack([z.real, z.imag], 2).flatten(1, 2)

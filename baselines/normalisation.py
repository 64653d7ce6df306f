"""What a network need not learn: the scale of an image, and the smooth phase of a complex one.

A method that divides its input by `scale` and multiplies its output is equivariant to the unit of the image, so that one
recipe serves attenuations, ppm and grey values. `smooth_phase` is the phase of the image at low resolution, as in homodyne
reconstruction: without it the real part holds most of a complex image.

D. Noll, D. Nishimura, A. Macovski, Homodyne detection in magnetic resonance imaging, IEEE TMI 1991.
"""

from __future__ import annotations

import torch
from torch import Tensor

PHASE_BANDWIDTH = 0.03  # cycles per pixel, standard deviation of the Gaussian window: inside the usual calibration region
TINY = 1e-12


def scale(x: Tensor) -> Tensor:
    """Root mean square of each image of a batch, (B, 1, ...)."""
    return x.square().mean(dim=tuple(range(1, x.ndim)), keepdim=True).sqrt().clamp(min=TINY)


def smooth_phase(x: Tensor) -> Tensor:
    """e^{iφ} with φ the low-resolution phase of a complex image (B, 2, ...), as complex numbers (B, ...)."""
    z = to_complex(x)
    axes = tuple(range(1, z.ndim))
    spectrum = torch.fft.fftn(z, dim=axes)
    for axis in axes:
        k = torch.fft.fftfreq(z.shape[axis], device=z.device, dtype=x.dtype)
        window = torch.exp(-0.5 * (k / PHASE_BANDWIDTH) ** 2)
        spectrum = spectrum * window.reshape([-1 if i == axis else 1 for i in range(z.ndim)])
    return torch.polar(torch.ones_like(z.real), torch.fft.ifftn(spectrum, dim=axes).angle())


def rotate(x: Tensor, phase: Tensor) -> Tensor:
    """A complex image (B, 2, ...) times e^{iφ} (B, ...)."""
    product = to_complex(x) * phase
    return torch.stack([product.real, product.imag], 1)


def to_complex(x: Tensor) -> Tensor:
    return torch.complex(x[:, 0], x[:, 1])


class Normalised(torch.nn.Module):
    """``network`` in units of its input's scale, and in the frame of its smooth phase where the image is complex."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        s = scale(x)
        if x.shape[1] != 2:
            return s * self.network(x / s)
        phase = smooth_phase(x)
        return rotate(s * self.network(rotate(x / s, phase.conj())), phase)

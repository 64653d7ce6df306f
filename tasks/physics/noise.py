"""Every noise law: how y is drawn from an exact measurement z, and the deepinv noise model that declares the law.

    gaussian   y = z + σn,                     n ~ N(0, 1)
    complex    y = z + σ(n₁ + i n₂),           n₁, n₂ ~ N(0, 1), for a complex z
    smooth     y = z + σn + ρs,                s: white noise, blurred by a Gaussian and scaled to an rms of one
    poisson    y = N / peak,                   N ~ Poisson(peak z), photons
    photon     y = -log(max(N, 1) / I₀),       N ~ Poisson(I₀ exp(-z)), z a line integral of the attenuation
    impulse    y = 0 or 1 with probability p/2 each, else z
    speckle    y = z g,                        g ~ Gamma of mean 1 and variance 1/looks
    laplace    y = z + n,                      n ~ Laplace of standard deviation σ
    rician     y = |z + σ(n₁ + i n₂)|,         n₁, n₂ ~ N(0, 1)

σ and ρ have the unit of z. A bin that counts no photon is clamped to one count. deepinv's models hold the same
parameters (gain = 1/peak, p = s = p/2, l = looks, b = σ/√2). The measurements are not drawn by the models: in deepinv
0.5.0 `GammaNoise` raises where z = 0, `LogPoissonNoise` gives infinity where no photon is counted, and `LaplaceNoise`
turns a uniform number that is exactly 0, one in 2²⁴ in single precision, into infinity.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import hypot, sqrt
from typing import NamedTuple

import numpy as np
import torch
from deepinv.physics import (
    GammaNoise,
    GaussianNoise,
    LaplaceNoise,
    LogPoissonNoise,
    PoissonNoise,
    RicianNoise,
    SaltPepperNoise,
)
from deepinv.physics.noise import NoiseModel
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

Array = NDArray[np.float64]


class Noise(NamedTuple):
    """``draw(z, rng)`` returns y in double precision, of the shape of z; ``model()`` returns a new noise model."""

    draw: Callable[[NDArray, np.random.Generator], NDArray]
    model: Callable[[], NoiseModel]


class Speckle(GammaNoise):
    """Gamma noise that leaves black black, where deepinv's raises."""

    def forward(self, x: Tensor, **_: object) -> Tensor:
        looks = self.l.to(x)
        return x * torch.distributions.Gamma(looks, looks).sample(x.shape)


class PhotonNoise(LogPoissonNoise):
    """Photon noise of transmission tomography, finite where no photon is counted."""

    def __init__(self, photons: float, rng: torch.Generator | None = None):
        super().__init__(N0=photons, mu=1.0, rng=rng)

    def forward(self, x: Tensor, **_: object) -> Tensor:
        return self.logarithm(torch.poisson(self.expected(x), generator=self.rng))

    def each(self, x: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        """``forward`` of a batch, each image of it by its own generator."""
        drawn = [torch.poisson(one, generator=own) for one, own in zip(self.expected(x), generators, strict=True)]
        return self.logarithm(torch.stack(drawn))

    def expected(self, x: Tensor) -> Tensor:
        return self.N0 * torch.exp(-x)

    def logarithm(self, counts: Tensor) -> Tensor:
        return -torch.log(counts.clamp(min=1) / self.N0)


class SmoothNoise(GaussianNoise):
    """White noise of deviation ``white`` and a smooth error of rms ``smooth``; ``sigma`` is the rms of their sum."""

    def __init__(self, white: float, smooth: float, widths: tuple[float, float]):
        super().__init__(hypot(white, smooth))
        self.white, self.smooth, self.widths = white, smooth, widths

    def forward(self, x: Tensor, *_: object, seed: int | None = None, **__: object) -> Tensor:
        noise = smooth(self.white, self.smooth, self.widths)
        drawn = noise.draw(x.detach().cpu().double().numpy(), np.random.default_rng(seed))
        return torch.from_numpy(drawn).to(x)


def gaussian(sigma: float) -> Noise:
    return Noise(lambda z, rng: z + sigma * rng.standard_normal(z.shape), lambda: GaussianNoise(sigma))


def complex_gaussian(sigma: float) -> Noise:
    """``sigma`` is the standard deviation of the real and of the imaginary part."""

    def draw(z: NDArray, rng: np.random.Generator) -> NDArray:
        real, imaginary = rng.standard_normal((2, *z.shape))
        return z + sigma * (real + 1j * imaginary)

    return Noise(draw, lambda: GaussianNoise(sigma))


def smooth(white: float, rms: float, widths: tuple[float, float]) -> Noise:
    """White noise of deviation ``white`` plus a smooth error of the given ``rms`` in the last three axes.

    The smooth error is white noise under a Gaussian blur with a circular boundary. The blur's standard deviation is
    uniform in ``widths``, in voxels, and drawn once per volume.
    """

    def draw(z: Array, rng: np.random.Generator) -> Array:
        grain = white * rng.standard_normal(z.shape)
        width = [0] * (z.ndim - 3) + [rng.uniform(*widths)] * 3
        error = gaussian_filter(rng.standard_normal(z.shape), width, mode="wrap")
        return z + grain + rms * error / np.sqrt(np.mean(error**2))

    return Noise(draw, lambda: SmoothNoise(white, rms, widths))


def simulated_smooth(
    z: Tensor,  # (B, D, H, W)
    white: float,
    rms: float,
    widths: tuple[float, float],
    generators: Sequence[torch.Generator],
) -> Tensor:
    """The law of `smooth` on the device of ``z``, a generator for each volume; the blur by its Fourier transform."""
    low, high = widths
    width = torch.stack([torch.rand(1, generator=own, device=z.device) for own in generators])
    width = low + (high - low) * width
    grain, seen = normal((2, *z.shape[1:]), generators, z.device).unbind(1)
    axes = tuple(range(-3, 0))
    spectrum = torch.fft.rfftn(seen, dim=axes)
    for axis in axes:
        n = z.shape[axis]
        frequency = (torch.fft.rfftfreq if axis == -1 else torch.fft.fftfreq)(n, device=z.device)
        response = torch.exp(-2 * (torch.pi * width * frequency) ** 2)
        spectrum = spectrum * response.reshape(len(z), *[1] * (3 + axis), -1, *[1] * (-1 - axis))
    error = torch.fft.irfftn(spectrum, s=z.shape[-3:], dim=axes)
    return z + white * grain + rms * error / error.square().mean(axes, keepdim=True).sqrt()


def normal(shape: Sequence[int], generators: Sequence[torch.Generator], device: torch.device) -> Tensor:
    """Standard normal numbers (B, *shape), those of each image of a batch by its own generator on the device."""
    return torch.stack([torch.randn(*shape, generator=own, device=device) for own in generators])


def poisson(peak: float) -> Noise:
    return Noise(lambda z, rng: rng.poisson(peak * z) / peak, lambda: PoissonNoise(1 / peak))


def photon(unshaded: float) -> Noise:
    """``unshaded`` photons, I₀, reach a bin behind nothing."""

    def draw(z: Array, rng: np.random.Generator) -> Array:
        counts = rng.poisson(unshaded * np.exp(-np.asarray(z, dtype=np.float64)))
        return -np.log(np.maximum(counts, 1) / unshaded)

    return Noise(draw, lambda: PhotonNoise(unshaded))


def impulse(probability: float) -> Noise:
    pepper = salt = probability / 2

    def draw(z: Array, rng: np.random.Generator) -> Array:
        uniform = rng.random(z.shape)
        return np.where(uniform < pepper, 0.0, np.where(uniform < pepper + salt, 1.0, z))

    return Noise(draw, lambda: SaltPepperNoise(pepper, salt))


def speckle(looks: float) -> Noise:
    return Noise(lambda z, rng: z * rng.gamma(looks, 1 / looks, z.shape), lambda: Speckle(looks))


def laplace(sigma: float) -> Noise:
    b = sigma / sqrt(2)
    return Noise(lambda z, rng: z + rng.laplace(0, b, z.shape), lambda: LaplaceNoise(b))


def rician(sigma: float) -> Noise:
    def draw(z: Array, rng: np.random.Generator) -> Array:
        real, imaginary = sigma * rng.standard_normal((2, *z.shape))
        return np.hypot(z + real, imaginary)

    return Noise(draw, lambda: RicianNoise(sigma))


# The laws that corrupt an image itself, by the name that a denoising track gives
IMAGE_NOISES: dict[str, Callable[..., Noise]] = {
    maker.__name__: maker for maker in (gaussian, poisson, impulse, speckle, laplace, rician)
}

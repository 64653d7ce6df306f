"""Noise on images z in [0, 1]: how it is drawn, and the deepinv noise model that declares it.

    gaussian   y = z + σn,                     n ~ N(0, 1)
    poisson    y = N / peak,                   N ~ Poisson(peak z), photons
    impulse    y = 0 or 1 with probability p/2 each, else z
    speckle    y = z g,                        g ~ Gamma of mean 1 and variance 1/looks
    laplace    y = z + n,                      n ~ Laplace of standard deviation σ
    rician     y = |z + σ(n₁ + i n₂)|,         n₁, n₂ ~ N(0, 1)

σ is given in units of 1/255. deepinv's models hold the same parameters (gain = 1/peak, p = s = p/2, l = looks,
b = σ/√2); two of 0.5.0 are not drawn from: `GammaNoise` raises where z = 0, and `LaplaceNoise` turns a uniform number
that is 0 to the bit, one in 2²⁴ in single precision, into infinity.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import NamedTuple

import numpy as np
import torch
from deepinv.physics import GammaNoise, GaussianNoise, LaplaceNoise, PoissonNoise, RicianNoise, SaltPepperNoise
from deepinv.physics.noise import NoiseModel
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]


class Noise(NamedTuple):
    draw: Callable[[Array, np.random.Generator], Array]  # y of z, float64, of one shape
    model: Callable[[], NoiseModel]


class Speckle(GammaNoise):
    """Gamma noise that leaves black black, where deepinv's raises."""

    def forward(self, x: Tensor, **_: object) -> Tensor:
        looks = self.l.to(x)
        return x * torch.distributions.Gamma(looks, looks).sample(x.shape)


def gaussian(sigma: float) -> Noise:
    sigma = sigma / 255
    return Noise(lambda z, rng: z + sigma * rng.standard_normal(z.shape), lambda: GaussianNoise(sigma))


def poisson(peak: float) -> Noise:
    return Noise(lambda z, rng: rng.poisson(peak * z) / peak, lambda: PoissonNoise(1 / peak))


def impulse(probability: float) -> Noise:
    pepper = salt = probability / 2

    def draw(z: Array, rng: np.random.Generator) -> Array:
        uniform = rng.random(z.shape)
        return np.where(uniform < pepper, 0.0, np.where(uniform < pepper + salt, 1.0, z))

    return Noise(draw, lambda: SaltPepperNoise(pepper, salt))


def speckle(looks: float) -> Noise:
    return Noise(lambda z, rng: z * rng.gamma(looks, 1 / looks, z.shape), lambda: Speckle(looks))


def laplace(sigma: float) -> Noise:
    b = sigma / 255 / sqrt(2)
    return Noise(lambda z, rng: z + rng.laplace(0, b, z.shape), lambda: LaplaceNoise(b))


def rician(sigma: float) -> Noise:
    sigma = sigma / 255

    def draw(z: Array, rng: np.random.Generator) -> Array:
        real, imaginary = sigma * rng.standard_normal((2, *z.shape))
        return np.hypot(z + real, imaginary)

    return Noise(draw, lambda: RicianNoise(sigma))


NOISES: dict[str, Callable[..., Noise]] = {
    maker.__name__: maker for maker in (gaussian, poisson, impulse, speckle, laplace, rician)
}

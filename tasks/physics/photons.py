"""Photon noise of transmission tomography: ``y = -log(max(N, 1) / I0)``, ``N ~ Poisson(I0 exp(-l))``.

``l`` are line integrals of the attenuation (no unit) and ``I0`` photons reach a bin that nothing shades. A bin that
counts no photon is clamped to one.
"""

from __future__ import annotations

import numpy as np
import torch
from deepinv.physics import LogPoissonNoise
from torch import Tensor

from tasks.physics.noise import Noise


def photon_noise(line_integrals: np.ndarray, photons: float, rng: np.random.Generator) -> np.ndarray:
    """Noisy line integrals, float64, of the shape of ``line_integrals``; ``photons`` is I0."""
    counts = rng.poisson(photons * np.exp(-np.asarray(line_integrals, dtype=np.float64)))
    return -np.log(np.maximum(counts, 1) / photons)


class PhotonNoise(LogPoissonNoise):
    """`photon_noise` as a noise model; deepinv's gives infinity where no photon is counted."""

    def __init__(self, photons: float, rng: torch.Generator | None = None):
        super().__init__(N0=photons, mu=1.0, rng=rng)

    def forward(self, x: Tensor, **_: object) -> Tensor:
        counts = torch.poisson(self.N0 * torch.exp(-x), generator=self.rng)
        return -torch.log(counts.clamp(min=1) / self.N0)


def photons(unshaded: float) -> Noise:
    """`photon_noise` of I0 = ``unshaded``, and its model."""
    return Noise(lambda line_integrals, rng: photon_noise(line_integrals, unshaded, rng), lambda: PhotonNoise(unshaded))

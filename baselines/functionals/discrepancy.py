"""E‖y − Az‖², z the truth:   the squared distance between a measurement and the exact one, by the declared noise

    Gaussian     m σ²,  m the number of measured values, the ones that are not zero
    Laplace      m 2b²
    Poisson      γ Σ max(y, 0),  γ the gain
    photon       Σ exp(y) / N₀,  after the logarithm, to first order

The discrepancy principle ends an iteration where its residual has this size: a smaller one fits noise.

V. A. Morozov, On the solution of functional equations by the method of regularization, Soviet Math. Dokl. 1966.
"""

from __future__ import annotations

from deepinv.physics import GaussianNoise, LaplaceNoise, LogPoissonNoise, PoissonNoise
from deepinv.physics.noise import NoiseModel
from torch import Tensor

LAWS = ("gaussian", "laplace", "poisson", "photon")  # of a track's noise, whose strength the physics declares


def noise_energy(y: Tensor, noise_model: NoiseModel | None) -> Tensor | None:
    """The expectation for each measurement of a batch ``y`` (B, C, ...), (B,); None for noise of unknown strength."""
    match noise_model:
        case GaussianNoise():
            return measured(y) * noise_model.sigma.to(y).flatten().square()
        case LaplaceNoise():
            return measured(y) * 2 * noise_model.b.to(y).flatten().square()
        case PoissonNoise():
            return noise_model.gain.to(y).flatten() * y.clamp(min=0).flatten(1).sum(1)
        case LogPoissonNoise():
            return y.exp().flatten(1).sum(1) / noise_model.N0.to(y)
    return None


def measured(y: Tensor) -> Tensor:
    """The number of values of each measurement that are not zero: the sampled ones, where there is noise. (B,)"""
    return y.flatten(1).count_nonzero(1).to(y)

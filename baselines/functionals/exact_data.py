"""P(x) = argmin_z ‖z − x‖²  with  A z = y,   the projection onto the images that have the measurement y

It is the limit of the proximal steps  x ← argmin_z ‖A z − y‖² + ν‖z − x‖²,  each of which leaves a share
ν/(s² + ν) of the error along a singular vector of value s. They are linear in x, and so fit to be trained through.

R. T. Rockafellar, Monotone operators and the proximal point algorithm, SIAM J. Control Optim. 1976.
"""

from __future__ import annotations

from deepinv.physics import LinearPhysics, ZeroNoise
from torch import Tensor

from baselines.functionals.data_fit import prox_l2
from bench.contract.operators import operator_norm
from bench.errors import BenchError

NU = 0.01  # over ‖A‖²; smaller ones lose digits in single precision
STEPS = 3  # leave a millionth where s = ‖A‖, as in a scan of k-space


def project(x: Tensor, y: Tensor, physics: LinearPhysics) -> Tensor:
    """P(x) of images ``x`` (B, C, ...). Raises `BenchError` where ``physics`` adds noise to its measurements."""
    noise = getattr(physics, "noise_model", None)
    if not isinstance(noise, ZeroNoise):
        raise BenchError(
            f"only a measurement without noise can be met exactly, and this one has {type(noise).__name__}."
        )
    nu = NU * operator_norm(physics, y) ** 2
    for _ in range(STEPS):
        x = prox_l2(physics, x, y, nu)
    return x

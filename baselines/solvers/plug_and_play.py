"""x_k = argmin_x ½‖Ax − y‖²/‖A‖² + ν_k/2 ‖x − v_k‖²,   z_k = D(x_k; σ_k),   ν_k = (σ/σ_k)²,
v_{k+1} = z_k + (t_k − 1)/t_{k+1} (z_k − z_{k−1}),   t_{k+1} = (1 + √(1 + 4t_k²))/2,   x_hat = z_K

Half-quadratic splitting with a denoiser D of white Gaussian noise as the prior. v_1 = z_0 is the direct reconstruction,
and σ_k falls geometrically from ``start`` to σ. Both are in units of the image's root mean square
(`baselines.networks.normalisation`), so one range serves attenuations, ppm and grey values.

Nesterov's momentum and many steps help to find the part of the image that was not measured, but they amplify noise
where A is small. So K = 20 for data without noise, while data with noise have K = 8 and no momentum, v_{k+1} = z_k. For
data without noise ν_k = 0.001 throughout, and x_hat = x_{K+1}, from v_{K+1} = z_K. Where y is the image plus white
Gaussian noise of known σ, no splitting is needed and no hyperparameter is tuned: x_hat = D(y; σ).

S. Venkatakrishnan, C. Bouman, B. Wohlberg, Plug-and-play priors for model based reconstruction, GlobalSIP 2013.
U. Kamilov, H. Mansour, B. Wohlberg, A plug-and-play priors approach for solving nonlinear imaging inverse problems,
IEEE SPL 2017 (the momentum, of Beck and Teboulle 2009).
K. Zhang et al., Plug-and-play image restoration with deep denoiser prior, IEEE TPAMI 2022 (the schedule of σ_k, K = 8).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import repeat
from typing import ClassVar

import torch
from deepinv.physics import Denoising, GaussianNoise, LinearPhysics, ZeroNoise
from torch import Tensor

from baselines.functionals.data_fit import prox_l2
from baselines.networks.folding import extend
from baselines.networks.normalisation import Normalisation
from baselines.solvers.proximal_gradient import momenta
from bench.contract.method import Method
from bench.contract.operators import direct, operator_norm
from bench.contract.space import Float, Range
from bench.contract.task import Track

ITERATIONS = {"noise": 8, "no noise": 20}  # K; 8 as Zhang et al. 2022, 20 set by hand
EXACT = 1e-3  # ν of data without noise, set by hand
SMALLEST = 16  # pixels a side; smaller images are extended, so that patches and their search windows fit
TINY = 1e-6  # stands for a noise of zero

Denoiser = Callable[[Tensor, Tensor], Tensor]


class PlugAndPlay(Method):
    """Subclasses write `denoise`. ``sigma``, ``start``: the last and the first σ_k, in units of the image's rms.

    ``iterations``: K; None takes the number above.
    """

    search_space: ClassVar[Mapping[str, Range]] = {
        "sigma": Float(0.001, 3.0, log=True),
        "start": Float(0.005, 40.0, log=True),
    }

    def __init__(self, sigma: float = 0.02, start: float = 0.5, iterations: int | None = None) -> None:
        super().__init__()
        self.sigma = sigma
        self.start = start
        self.iterations = iterations

    @classmethod
    def space(cls, track: Track) -> Mapping[str, Range]:
        """No hyperparameters where the measurement is the image plus white Gaussian noise of known strength."""
        return {} if track.denoising and track.noise == "gaussian" else cls.search_space

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Images ``x`` (B, 1, ...), denoised; ``sigma`` (B,): deviation of their white noise, in the unit of x."""
        raise NotImplementedError

    def denoise_once(self, x: Tensor, sigma: Tensor) -> Tensor:
        """`denoise` inside of the splitting: a single pass, where `denoise` iterates."""
        return self.denoise(x, sigma)

    def begin(self) -> Denoiser:
        """The denoiser of one splitting: `denoise_once`, or one that learns from its images and keeps its state."""
        return self.denoise_once

    @torch.no_grad()
    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        return self.solve(y, physics, self.denoise, self.begin())

    def solve(self, y: Tensor, physics: LinearPhysics, known_noise: Denoiser, denoise: Denoiser) -> Tensor:
        """The image: by one call of ``known_noise``, or by a splitting with ``denoise``."""
        if isinstance(physics, Denoising) and isinstance(physics.noise_model, GaussianNoise):
            sigma = physics.noise_model.sigma.to(y).flatten().clamp(min=TINY)
            return by_channel(known_noise, y, sigma.expand(len(y)))
        x = direct(y, physics)
        normalisation, norm = Normalisation(x), operator_norm(physics, y)
        v = z = normalisation.normalise(x)
        y = y / normalisation.scale.reshape(-1, *(1 for _ in y.shape[1:]))
        exact = isinstance(physics.noise_model, ZeroNoise)
        steps = ITERATIONS["no noise" if exact else "noise"] if self.iterations is None else self.iterations

        def fit(v: Tensor, nu: float) -> Tensor:
            return normalisation.remove_phase(prox_l2(physics, normalisation.add_phase(v), y, nu * norm**2))

        for sigma_k, momentum in zip(self.schedule(steps), momenta() if exact else repeat(0.0), strict=False):
            x = fit(v, EXACT if exact else (self.sigma / sigma_k) ** 2)
            z, before = by_channel(denoise, x, x.new_full((len(x),), sigma_k)), z
            v = z + momentum * (z - before)
        return normalisation.undo(fit(z, EXACT) if exact else z)

    def schedule(self, steps: int) -> list[float]:
        """σ_1 > ... > σ_K = σ; never below σ."""
        ratio = max(self.start / self.sigma, 1.0)
        last = max(steps - 1, 1)
        return [self.sigma * ratio ** (1 - k / last) for k in range(steps)]


def by_channel(denoise: Denoiser, x: Tensor, sigma: Tensor) -> Tensor:
    """Each channel of ``x`` (B, C, ...) denoised as an image of its own; of complex images the two parts."""
    flat = x.flatten(0, 1).unsqueeze(1)
    if min(x.shape[2:]) < SMALLEST:
        flat = extend(flat, SMALLEST)
    flat = denoise(flat, sigma.repeat_interleave(x.shape[1]))
    for axis, n in enumerate(x.shape[2:], 2):
        flat = flat.narrow(axis, 0, n)
    return flat.reshape(x.shape)

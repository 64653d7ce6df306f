"""x_k = argmin_x ½‖Ax − y‖²/‖A‖² + ν_k/2 ‖x − z_{k−1}‖²,   z_k = D(x_k; σ_k),   ν_k = λ(σ/σ_k)²,   x_hat = z_K

Deep plug-and-play image restoration: half-quadratic splitting (`baselines.solvers.plug_and_play`) whose prior is a
network that removes white Gaussian noise. D(x; σ) = x − σ N(x; σ). The U-Net N is given the noise level σ as a second
channel and trained without A, on the training images with noise that is added to them:

    min_N E (N(x + σn; σ) − n)²,   n ~ N(0, 1),   log σ uniform.

Training also finds the schedule: σ is the root mean square of (Ax − y)/‖A‖ over training images, ε the one of the error
of the direct reconstruction. σ_k falls from 2ε to √λσ, and D learns levels from σ/2 to 2ε. All are in units of the
image's root mean square (`baselines.networks.normalisation`). Each channel is denoised by itself. Where y is the image
plus white noise of known level, x_hat = D(y) in one step, and data without noise are met exactly in the end.

``algorithm="admm"`` takes multipliers u_k too. Its limit at a constant σ_k minimises ½‖Ax − y‖²/‖A‖² + λσ² R(x) if D is
the proximal map of σ_k² R, which splitting without multipliers only does for small σ_k:

    x_k = argmin_x ½‖Ax − y‖²/‖A‖² + ν_k/2 ‖x − z_{k−1} + u_{k−1}‖²,   z_k = D(x_k + u_{k−1}; σ_k),
    u_k = u_{k−1} + x_k − z_k.

Differences from the paper: a small U-Net for trainings of minutes; one channel for all images; the schedule is found in
training, and has K = 24 steps in place of 8, because MRI gains 2 dB by them. On small head phantoms a D of volumes made
iterates worse than the direct reconstruction after 200 steps of training, so volumes are not supported.

K. Zhang et al., Plug-and-play image restoration with deep denoiser prior, IEEE TPAMI 2022 (λ = 0.23).
S. Chan, X. Wang, O. Elgendy, Plug-and-play ADMM for image restoration, IEEE Trans. Comput. Imaging 2017.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor

from baselines.choice import one_of
from baselines.networks.normalisation import Normalisation, rms
from baselines.networks.unet import unet
from baselines.solvers.plug_and_play import Denoiser, PlugAndPlay
from bench.contract.method import LearnedMethod
from bench.contract.operators import direct, operator_norm
from bench.contract.space import Range
from bench.contract.task import Track

# Set by hand on two validation images each of ct:mini, mri:mini, deblurring:mini and inpainting:mini. HQS with λ = 0.23
# is within 0.05 dB of the best of 0.09, 0.23 and 1, but on MRI, where 1 has 0.2 dB more. ADMM with λ = 1 is as good or
# better than with 0.23, by 2.6 dB on inpainting. 2ε is within 0.05 dB of the best of ε/2, ε, 2ε and 4ε.
BALANCE = {"hqs": 0.23, "admm": 1.0}  # λ
FIRST = 2.0  # σ_1/ε
ITERATIONS = 24  # K; 8 steps lose 2 dB on MRI and gain 0.1 dB on photographs, 0.5 dB on CT
BOUND = 5.0  # on |N|, noise of deviation one; D is a bounded denoiser then, as in Chan et al.
LOWEST = 0.01  # stands for the σ of data without noise


class DPIR(PlugAndPlay, LearnedMethod):
    """``algorithm``: hqs or admm; ``iterations``: K; ``width``, ``levels``: of the U-Net."""

    learning_rate: ClassVar[float] = 4e-3
    noise: Tensor  # σ², ()
    error: Tensor  # ε², ()
    batches: Tensor  # that they are the means of, ()

    def __init__(self, algorithm: str = "hqs", iterations: int = ITERATIONS, width: int = 24, levels: int = 2) -> None:
        LearnedMethod.__init__(self)  # and not the one of a splitting, whose σ and start are given
        self.algorithm = one_of("algorithm", algorithm, tuple(BALANCE))
        self.iterations = iterations
        self.network = unet(2, 1, 2, width, levels)
        for name in ("noise", "error", "batches"):
            self.register_buffer(name, torch.zeros(()))

    @classmethod
    def space(cls, track: Track) -> Mapping[str, Range]:
        """A method that learns has one recipe."""
        return {}

    @classmethod
    def supports(cls, track: Track) -> str | None:
        if track.blind:
            return "a splitting needs the operator, which a blind track keeps back"
        return None if track.dims == 2 else "its denoiser is made for images, not for volumes"

    @property
    def level(self) -> float:
        """σ."""
        return max(float(self.noise) ** 0.5, LOWEST)

    @property
    def sigma(self) -> float:  # type: ignore[override]
        """The last σ_k, and √λσ of ν_k."""
        return BALANCE[self.algorithm] ** 0.5 * self.level

    @property
    def start(self) -> float:  # type: ignore[override]
        """σ_1."""
        return FIRST * max(float(self.error) ** 0.5, self.level)

    def find_noise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """N of images (B, 1, ...) in units of their root mean square; ``sigma`` (B, 1, ...)."""
        centred = x - x.mean(dim=tuple(range(2, x.ndim)), keepdim=True)
        return self.network(torch.cat([centred, sigma.expand_as(x)], 1))

    def denoise_once(self, x: Tensor, sigma: Tensor) -> Tensor:
        """D of such images; ``sigma`` (B,)."""
        sigma = sigma.reshape(-1, *[1] * (x.ndim - 1))
        return x - sigma * self.find_noise(x, sigma).clamp(-BOUND, BOUND)

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """D of images in any unit."""
        unit = rms(x)
        return unit * self.denoise_once(x / unit, sigma / unit.flatten())

    def solve(self, y: Tensor, physics: LinearPhysics, known_noise: Denoiser, denoise: Denoiser) -> Tensor:
        if self.algorithm == "admm":
            assert self.iterations is not None
            denoise = Multipliers(denoise, self.iterations)
        return super().solve(y, physics, known_noise, denoise)

    def training_step(self, batch: tuple[Any, ...], index: int) -> Tensor:
        x, y, physics, *_ = batch
        normalisation = Normalisation(direct(y, physics))
        self.measure(x, y, physics, normalisation)
        clean = normalisation.normalise(x).flatten(0, 1).unsqueeze(1)
        lowest, highest = 0.5 * self.level, self.start
        sigma = lowest * (highest / lowest) ** torch.rand(len(clean), device=x.device)
        sigma, noise = sigma.reshape(-1, *[1] * (clean.ndim - 1)), torch.randn_like(clean)
        loss = self.loss(self.find_noise(clean + sigma * noise, sigma), noise)
        self.log("train_loss", loss, on_step=True, on_epoch=False)
        return loss

    @torch.no_grad()
    def measure(self, x: Tensor, y: Tensor, physics: LinearPhysics, normalisation: Normalisation) -> None:
        """Brings σ² and ε² up to date. Values that were not measured, which are zero in y, do not count."""
        scale = normalisation.scale.flatten()
        residual = (physics.A(x) - y).flatten(1).square().sum(1) / y.flatten(1).count_nonzero(1).clamp(min=1)
        error = (direct(y, physics) - x).flatten(1).square().mean(1)
        self.batches += 1
        self.noise += ((residual / (operator_norm(physics, y) * scale) ** 2).mean() - self.noise) / self.batches
        self.error += ((error / scale**2).mean() - self.error) / self.batches


class Multipliers:
    """The denoiser of ADMM, as half-quadratic splitting calls it: returns z_k − u_k, from which x_{k+1} starts.

    The last of ``calls`` returns z_K.
    """

    def __init__(self, denoise: Denoiser, calls: int) -> None:
        self.denoise = denoise
        self.left = calls
        self.u: Tensor | float = 0.0

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        z = self.denoise(x + self.u, sigma)
        self.u = x + self.u - z
        self.left -= 1
        return z - self.u if self.left else z

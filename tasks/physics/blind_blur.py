"""Blur with an unknown kernel: ``y = h ⊛ x`` of which only a bound on the side of h is told.

x, y: images (B, C, H, W). To a method that knows nothing of kernels the operator is the identity, h taken as a delta,
and ``direct`` is y. One that estimates kernels asks for the blur by its estimate (`bench.contract.operators`).
"""

from __future__ import annotations

import torch
from deepinv.physics import LinearPhysics, ZeroNoise
from deepinv.physics.noise import NoiseModel
from torch import Tensor

from tasks.physics.blur import CircularBlur


class BlindBlur(LinearPhysics):
    """``kernel_size``: no side of h is longer, in pixels. Not deepinv's `Denoising`: y holds more than white noise."""

    operator_norm = 1.0

    def __init__(
        self, kernel_size: int, noise_model: NoiseModel | None = None, device: torch.device | str = "cpu"
    ) -> None:
        super().__init__(noise_model=noise_model or ZeroNoise(), device=device)
        self.kernel_size = kernel_size

    def with_kernel(self, kernel: Tensor) -> CircularBlur:
        """The blur by ``kernel`` (h, w), centred on the pixel (h // 2, w // 2), with this noise."""
        return CircularBlur(kernel, self.noise_model, kernel.device)

    def A(self, x: Tensor) -> Tensor:
        return x

    def A_adjoint(self, y: Tensor) -> Tensor:
        return y

    def A_dagger(self, y: Tensor) -> Tensor:
        return y

    def direct(self, y: Tensor) -> Tensor:
        return y

    def prox_l2(self, z: Tensor | float | None, y: Tensor, gamma: Tensor | float) -> Tensor:
        """``argmin_x γ/2 |x - y|^2 + 1/2 |x - z|^2``; ``gamma`` a number or one per image."""
        if isinstance(gamma, Tensor):
            gamma = gamma.reshape(-1, *[1] * (y.ndim - 1))
        return (gamma * y + (0.0 if z is None else z)) / (1 + gamma)

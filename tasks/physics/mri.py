"""Cartesian magnetic resonance imaging: ``y = M F x``, and ``y_n = M F (s_n · x)`` for coils n.

F: orthonormal Fourier transform, centred: DC is the sample (H // 2, W // 2) of k-space, and the image's centre the
pixel (H // 2, W // 2). M: a mask of zeros and ones, (B, 1, H, W) or (B, 2, H, W). s: coil sensitivities.

| operator | x | y |
|---|---|---|
| `MRI` | complex (B, 2, H, W) | (B, 2, H, W) |
| `RealMRI` | real (B, 1, H, W) | (B, 2, H, W) |
| `MultiCoilMRI` | complex (B, 2, H, W) | (B, 2, N, H, W) |

K. P. Pruessmann et al., SENSE: Sensitivity Encoding for Fast MRI, MRM 42(5), 1999.
"""

from __future__ import annotations

import deepinv.physics
import numpy as np
import torch
from deepinv.physics import LinearPhysics
from deepinv.physics.noise import NoiseModel
from deepinv.utils.mixins import MRIMixin
from torch import Tensor

from bench.contract.operators import Completion
from tasks.physics.placing import put_on

DENSITY_POWER = 4  # of the sampling density's decay towards the edge of k-space


class MRI(deepinv.physics.MRI):
    """One coil, complex images: deepinv's operator, with ``prox_l2`` in closed form and zero-filling as ``direct``."""

    operator_norm = 1.0

    def __init__(self, mask: Tensor, noise_model: NoiseModel | None = None, device: torch.device | str = "cpu"):
        super().__init__(img_size=tuple(mask.shape[-2:]))
        self.mask = self.check_mask(mask.to(device))
        self.img_size = self.mask.shape[1:]
        put_on(self, noise_model, device)

    def completion(self) -> Completion:
        """All of k-space."""
        whole = MRI(torch.ones_like(self.mask), self.noise_model, self.mask.device)
        return Completion(whole, lambda y: self.mask * y)

    def direct(self, y: Tensor) -> Tensor:
        """Zero-filled reconstruction."""
        return self.A_adjoint(y)


class RealMRI(MRIMixin, LinearPhysics):
    """One coil, real images: ``A x = M F x`` and ``A^T y = Re F^H M y``."""

    operator_norm = 1.0

    def __init__(self, mask: Tensor, noise_model: NoiseModel | None = None, device: torch.device | str = "cpu"):
        super().__init__(img_size=(1, *mask.shape[-2:]))
        if mask.ndim != 4:
            raise ValueError(f"expected a mask (B, 1, H, W) or (B, 2, H, W), got {tuple(mask.shape)}")
        self.register_buffer("mask", mask[:, :1].to(device))
        put_on(self, noise_model, device)

    def A(self, x: Tensor) -> Tensor:
        return self.mask * self.from_torch_complex(self.fft(x[:, 0]))

    def A_adjoint(self, y: Tensor) -> Tensor:
        return self.ifft(self.to_torch_complex(self.mask * y)).real[:, None]

    def noise(self, x: Tensor, **kwargs: object) -> Tensor:
        return self.mask * self.noise_model(x, **kwargs)

    def prox_l2(self, z: Tensor | float | None, y: Tensor, gamma: Tensor | float) -> Tensor:
        """``argmin_x γ/2 |A x - y|^2 + 1/2 |x - z|^2`` over real x; ``gamma`` a number or one per image.

        ``Re F^H M F`` on real images is ``F^H S F`` with ``S(k) = (M(k)^2 + M(-k)^2) / 2``.
        """
        if isinstance(gamma, Tensor):
            gamma = gamma.reshape(-1, 1, 1, 1)
        right = gamma * self.A_adjoint(y) + (0.0 if z is None else z)
        sampled = torch.fft.ifftshift(self.mask**2, dim=(-2, -1))
        sampled = (sampled + sampled.flip((-2, -1)).roll((1, 1), (-2, -1))) / 2
        # S is diagonal, so the shifts of the centred transform cancel. It is even, so half a spectrum is enough.
        half = sampled[..., : right.shape[-1] // 2 + 1]
        return torch.fft.irfft2(torch.fft.rfft2(right) / (1 + gamma * half), s=right.shape[-2:])

    def completion(self) -> Completion:
        """All of k-space."""
        whole = RealMRI(torch.ones_like(self.mask), self.noise_model, self.mask.device)
        return Completion(whole, lambda y: self.mask * y)

    def direct(self, y: Tensor) -> Tensor:
        """Real part of the zero-filled reconstruction."""
        return self.A_adjoint(y)


class MultiCoilMRI(deepinv.physics.MultiCoilMRI):
    """Several coils, complex images. ``coils``: sensitivities (B, N, H, W), complex."""

    def __init__(
        self,
        mask: Tensor,
        coils: Tensor,
        noise_model: NoiseModel | None = None,
        device: torch.device | str = "cpu",
    ):
        super().__init__(img_size=tuple(mask.shape[1:]))
        self.mask = self.check_mask(mask.to(device))
        self.coil_maps = self.check_coil_maps(coils.to(device), three_d=False)
        put_on(self, noise_model, device)

    @property
    def operator_norm(self) -> float:
        """A bound: ``max_p (Σ_n |s_n(p)|^2)^(1/2)``, 1 for normalised coils."""
        return float(self._sensitivity().max()) ** 0.5

    def completion(self) -> Completion:
        """All of k-space, of every coil."""
        whole = MultiCoilMRI(torch.ones_like(self.mask), self.coil_maps, self.noise_model, self.mask.device)
        return Completion(whole, lambda y: self.mask.unsqueeze(2) * y)

    def direct(self, y: Tensor) -> Tensor:
        """Zero-filled coil images combined by their sensitivities: ``Σ_n conj(s_n) F^H y_n / Σ_n |s_n|^2``."""
        sensitivity = self._sensitivity()
        return self.A_adjoint(y) / torch.where(sensitivity > 0, sensitivity, 1)

    def _sensitivity(self) -> Tensor:  # (B, 1, H, W)
        return self.coil_maps.abs().square().sum(dim=1, keepdim=True)


def variable_density_mask(
    shape: tuple[int, int], acceleration: float, centre_fraction: float, rng: np.random.Generator
) -> Tensor:
    """Cartesian mask (1, H, W), float64: whole columns, DC at column W // 2.

    ``round(W / acceleration)`` columns, of which the ``round(W * centre_fraction)`` central ones always, the others
    drawn without replacement with a density that falls as ``(1 - |k| / k_max)^4``. M. Lustig et al., Sparse MRI, MRM
    58(6), 2007.
    """
    height, width = shape
    total, centre = round(width / acceleration), round(width * centre_fraction)
    if not 0 < centre <= total <= width:
        raise ValueError(f"{centre} central of {total} sampled columns do not fit {width} columns")
    offset = np.arange(width) - width // 2
    nearest = np.argsort(np.abs(offset), kind="stable")  # -1 before +1
    chosen = np.zeros(width, dtype=bool)
    chosen[nearest[:centre]] = True
    density = np.where(chosen, 0.0, (1 - np.abs(offset) / (width // 2 + 1)) ** DENSITY_POWER)
    chosen[rng.choice(width, size=total - centre, replace=False, p=density / density.sum())] = True
    return torch.from_numpy(np.broadcast_to(chosen, (1, height, width)).astype(np.float64))

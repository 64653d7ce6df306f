"""One small operator of every kind that the tasks use, 16 pixels a side or less, for the contract tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from deepinv.physics import (
    MRI,
    BlurFFT,
    DecomposablePhysics,
    Denoising,
    GaussianNoise,
    Inpainting,
    LinearPhysics,
    MultiCoilMRI,
    ZeroNoise,
)
from torch import Tensor

from bench.contract.task import Budget, Metric, Track

BATCH = 2
NOISE = 0.02  # standard deviation, on images of contrast one
METAL = 40.0  # the value of the metal among the blocks of one toy


@dataclass(frozen=True)
class Toy:
    """A batch of images, their measurements, and ``physics(params)``: an operator on the device of ``y``.

    ``target`` is the truth of a finding, {} where none is asked for.
    """

    track: Track
    x: Tensor
    y: Tensor
    params: Mapping[str, Tensor]
    operator: Callable[[Mapping[str, Tensor]], LinearPhysics]
    target: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def batch(self) -> tuple[Any, ...]:
        """As training gives it."""
        batch = (self.x, self.y, self.physics(self.params))
        return (*batch, self.target) if self.target else batch

    def physics(self, params: Mapping[str, Tensor]) -> LinearPhysics:
        return self.operator(params).to(self.y.device)

    def one(self, index: int) -> tuple[Tensor, LinearPhysics]:
        """The measurement of one image, as a batch of one, and its physics."""
        return self.y[index : index + 1], self.physics({k: v[index : index + 1] for k, v in self.params.items()})

    def on(self, device: torch.device) -> Toy:
        """The same images and measurements on a device, with operators that are made there."""
        params, target = ({k: v.to(device) for k, v in one.items()} for one in (self.params, self.target))
        return replace(self, x=self.x.to(device), y=self.y.to(device), params=params, target=target)


class Rays(LinearPhysics):
    """Sums over rows and columns, and over shifted columns: line integrals whose shape isn't that of the image."""

    SHEARS = (-1, 0, 1)

    def A(self, x: Tensor, **kwargs: object) -> Tensor:
        return torch.stack([self.shear(x, shear).sum(-2) for shear in self.SHEARS], -2)

    def A_adjoint(self, y: Tensor, **kwargs: object) -> Tensor:
        return self.spread(y).sum(0)

    def spread(self, y: Tensor) -> Tensor:
        """The views, each spread over the image along its rays."""
        rows = y.shape[-1]
        views = (y[..., i, :].unsqueeze(-2).expand(*y.shape[:-2], rows, rows) for i in range(len(self.SHEARS)))
        return torch.stack([self.shear(view, -shear) for view, shear in zip(views, self.SHEARS, strict=True)])

    @staticmethod
    def shear(x: Tensor, shear: int) -> Tensor:
        return torch.stack([row.roll(shear * i, -1) for i, row in enumerate(x.unbind(-2))], -2)


class RaysThroughMetal(Rays):
    """With a direct reconstruction that shows metal where it is: no pixel exceeds the mean of any ray through it."""

    def direct(self, y: Tensor) -> Tensor:
        return self.spread(y).amin(0) / y.shape[-1]


class RealKspace(LinearPhysics):
    """Single-coil MRI of real images, DC at the centre of k-space as in `MRI`: y has two channels, x has one."""

    operator_norm = 1.0

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def A(self, x: Tensor, **kwargs: object) -> Tensor:
        kspace = torch.fft.fftshift(torch.fft.fft2(x[:, 0], norm="ortho"), dim=(-2, -1))
        return self.mask * torch.view_as_real(kspace).movedim(-1, 1)

    def A_adjoint(self, y: Tensor, **kwargs: object) -> Tensor:
        kspace = torch.view_as_complex((self.mask * y).movedim(1, -1).contiguous())
        return torch.fft.ifft2(torch.fft.ifftshift(kspace, dim=(-2, -1)), norm="ortho").real[:, None]


class Blur(BlurFFT):
    """With a kernel that is nowhere negative and sums to one."""

    operator_norm = 1.0


class UnknownBlur(LinearPhysics):
    """Keeps back its kernel: the identity to those who know of none."""

    operator_norm = 1.0
    kernel_size = 3

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def A(self, x: Tensor, **kwargs: object) -> Tensor:
        return x

    def A_adjoint(self, y: Tensor, **kwargs: object) -> Tensor:
        return y

    def with_kernel(self, kernel: Tensor) -> Blur:
        return Blur((1, *self.shape), kernel[None, None], kernel.device, noise_model=self.noise_model)


class Coils(MultiCoilMRI):
    """With normalised coils."""

    operator_norm = 1.0


class Dipole(DecomposablePhysics):
    """Diagonal in the 3D Fourier transform of a real image, with singular values of both signs and zero."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        k = torch.meshgrid(*(torch.fft.fftfreq(n) for n in shape), indexing="ij")
        square = torch.stack(k).square().sum(0).clamp(min=1e-6)
        super().__init__(mask=(1 / 3 - k[-1] ** 2 / square)[None, None])

    def U(self, x: Tensor) -> Tensor:
        return torch.fft.ifftn(x, dim=(-3, -2, -1), norm="ortho").real

    def U_adjoint(self, x: Tensor, **kwargs: object) -> Tensor:
        return torch.fft.fftn(x, dim=(-3, -2, -1), norm="ortho")

    def V(self, x: Tensor, **kwargs: object) -> Tensor:
        return self.U(x)

    def V_adjoint(self, x: Tensor) -> Tensor:
        return self.U_adjoint(x)


def toys() -> list[Toy]:
    """All of them; the same at every call."""
    rng = torch.Generator().manual_seed(0)
    plane, odd, volume = (16, 16), (15, 13), (8, 10, 9)
    kernel = torch.ones(1, 1, 3, 3) / 9
    columns = (torch.rand(BATCH, 1, 1, 16, generator=rng) < 0.5) | (torch.arange(16) - 8 < 2) & (torch.arange(16) > 5)
    coils = torch.randn(BATCH, 3, *plane, dtype=torch.complex64, generator=rng)
    kspace = {"mask": columns.expand(BATCH, 2, *plane).float()}
    pixels = {"mask": (torch.rand(BATCH, 1, *plane, generator=rng) < 0.5).float()}
    coils = coils / coils.abs().square().sum(1, keepdim=True).sqrt()
    return [
        toy(rng, "denoising", "photograph", plane, {}, lambda p: Denoising()),
        toy(rng, "odd-sided", "photograph", odd, {}, lambda p: Denoising()),
        toy(rng, "blur", "photograph", plane, {}, lambda p: Blur((1, *plane), kernel)),
        toy(
            rng,
            "inpainting",
            "photograph",
            plane,
            pixels,
            lambda p: Inpainting((1, *plane), p["mask"], device=p["mask"].device),
        ),
        toy(rng, "rays", "ct", plane, {}, lambda p: RaysThroughMetal(), metal=METAL),
        toy(rng, "mri", "mri", plane, kspace, lambda p: MRI(p["mask"], device=p["mask"].device), channels=2),
        toy(rng, "real mri", "mri", plane, kspace, lambda p: RealKspace(p["mask"]), noise=0.0),
        toy(
            rng,
            "multicoil",
            "mri",
            plane,
            kspace | {"coils": coils},
            lambda p: Coils(p["mask"], p["coils"], device=p["mask"].device),
            channels=2,
        ),
        toy(rng, "dipole", "qsm", volume, {}, lambda p: Dipole(volume)),
        toy(rng, "blind blur", "photograph", plane, {}, lambda p: UnknownBlur(plane)),
        toy(rng, "finding from rays", "ct", plane, {}, lambda p: Rays(), classes=1),
        toy(
            rng,
            "findings from k-space",
            "mri",
            plane,
            kspace,
            lambda p: MRI(p["mask"], device=p["mask"].device),
            channels=2,
            classes=3,
        ),
    ]


def toy(
    rng: torch.Generator,
    name: str,
    modality: str,
    shape: tuple[int, ...],
    params: Mapping[str, Tensor],
    physics: Callable[[Mapping[str, Tensor]], LinearPhysics],
    channels: int = 1,
    noise: float = NOISE,
    classes: int = 0,
    metal: float = 0.0,
) -> Toy:
    """Random blocks, measured with the noise that the physics declares; among them lies a piece of ``metal``.

    Where a finding is asked for, its classes are ranges of the intensity.
    """

    def noisy(params: Mapping[str, Tensor]) -> LinearPhysics:
        made = physics(params)
        made.noise_model = GaussianNoise(noise) if noise else ZeroNoise()
        return made

    coarse = torch.rand(BATCH, channels, *(-(-n // 4) for n in shape), generator=rng)
    x = torch.nn.functional.interpolate(coarse, shape)
    if metal:
        x[..., 6:8, 9:11] = metal
    y = physics(params).A(x)
    track = Track(
        task="toy",
        name=name,
        title=name,
        version=1,
        metrics=(*((Metric("dice", "", True, of="finding"),) if classes else ()), Metric("psnr", "", True)),
        budget=Budget(),
        options={},
        noise="gaussian" if noise else "none",
        modality=modality,
        channels=channels,
        classes=classes,
        dims=len(shape),
        denoising=name in ("denoising", "odd-sided"),
        blind=name == "blind blur",
        metal=metal > 0,
        measured_channels=y.shape[1],
    )
    noisy_y = y + noise * torch.randn(y.shape, generator=rng)
    return Toy(track, x, noisy_y, params, noisy, {"map": ranges(x, classes)} if classes else {})


def ranges(x: Tensor, classes: int) -> Tensor:
    """Maps (B, classes, ...) of the pixels whose first channel lies in each range, above the lowest one."""
    index = (x[:, :1] * (classes + 1)).long()
    return torch.cat([(index == one).float() for one in range(1, classes + 1)], 1)

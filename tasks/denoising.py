"""Denoising: y = x + n, with n white and Gaussian of standard deviation sigma / 255 on images in [0, 1]."""

from __future__ import annotations

from bench.task import Budget, Problem, Task, Track
from tasks.data.scores import psnr_ssim


def open_track(track: Track) -> Problem:
    import torch
    from deepinv.physics import Denoising, GaussianNoise

    from tasks.data.natural import augment, images

    sigma = track.options["sigma"] / 255

    def measure(image, rng):
        x = torch.from_numpy(image)[None]
        return x, x + sigma * torch.from_numpy(rng.standard_normal(x.shape)), {}

    def physics(params, device):
        return Denoising(GaussianNoise(sigma)).to(device)

    return Problem(images(track.options["images"]), measure, physics, augment(track.options["patch"]))


def bsd68(sigma: int) -> Track:
    return Track(
        task="denoising",
        name=f"bsd68-s{sigma}",
        title=f"BSD68, sigma {sigma}",
        version=1,
        metrics=psnr_ssim(1.0),
        budget=Budget(trials=12, images=10, steps=20_000, batch=16),
        options={"images": "bsd", "sigma": sigma, "patch": 64},
        data=("bsd400", "bsd68"),
        citation="Zhang et al., Beyond a Gaussian Denoiser, IEEE TIP 26(7), 2017",
    )


MINI = Track(
    task="denoising",
    name="mini",
    title="Photographs, sigma 25",
    version=1,
    metrics=psnr_ssim(1.0),
    budget=Budget(),
    options={"images": "photographs", "sigma": 25, "patch": 64},
    split_unit="scene",
)

TASK = Task("denoising", "Removal of white Gaussian noise", (MINI, bsd68(15), bsd68(25), bsd68(50)), open_track)

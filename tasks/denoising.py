"""Denoising: y = x + n, with n white and Gaussian of standard deviation sigma / 255 on images in [0, 1].

`bsd68-mixed` trains on every sigma up to 55, and each of the published three is that of a third of its other images.
Weights that it learned are put to one sigma by `--checkpoint` on the track of that sigma.

The other tracks have noise of another law (`tasks.physics.noise`), as strong as Gaussian noise of sigma 25 or stronger.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bench.contract.task import Budget, Images, Problem, Shift, Task, Track
from tasks.metrics.declared import psnr_ssim

LEVELS: dict[str, tuple[str, dict[str, float]]] = {
    "poisson": ("10 photons at white", {"peak": 10}),
    "impulse": ("30 % salt and pepper", {"probability": 0.3}),
    "speckle": ("speckle of 10 looks", {"looks": 10}),
    "laplace": ("Laplace noise, sigma 30", {"sigma": 30}),
    "rician": ("Rician noise, sigma 40", {"sigma": 40}),
}


def open_track(track: Track) -> Problem:
    return open_mixed(track) if "sigmas" in track.options else open_one(track)


def open_one(track: Track) -> Problem:
    """The noise has one law and one strength."""
    import torch
    from deepinv.physics import Denoising

    from tasks.datasets.natural import augment, images
    from tasks.physics.noise import IMAGE_NOISES

    options = track.options
    level = {name: value for name, value in options.items() if name not in ("images", "patch", "noise")}
    if "sigma" in level:
        level["sigma"] /= 255
    noise = IMAGE_NOISES[options.get("noise", "gaussian")](**level)

    def measure(image, rng):
        return torch.from_numpy(image)[None], torch.from_numpy(noise.draw(image[None], rng)), {}

    def physics(params, device):
        return Denoising(noise.model()).to(device)

    return Problem(images(options["images"]), measure, physics, augment(options["patch"]))


def open_mixed(track: Track) -> Problem:
    """Gaussian noise of a sigma of its own on each image, which the physics knows."""
    import torch
    from deepinv.physics import Denoising, GaussianNoise

    from tasks.datasets.natural import augment, images

    options = track.options
    crop, low_high, sigmas = augment(options["patch"]), options["trained_sigmas"], options["sigmas"]

    def in_turn(split: Images) -> Images:
        def load(name: str) -> dict[str, Any]:
            return {"image": split.load(name), "sigma": sigmas[split.ids.index(name) % len(sigmas)]}

        return replace(split, load=load)

    def measure(arrays, rng):
        image, sigma = arrays["image"][None], arrays["sigma"] / 255
        y = torch.from_numpy(image + sigma * rng.standard_normal(image.shape))
        return torch.from_numpy(image), y, {"sigma": torch.tensor(sigma, dtype=torch.float64)}

    def random(arrays, rng):
        return {"image": crop(arrays["image"], rng), "sigma": rng.uniform(*low_high)}

    def physics(params, device):
        return Denoising(GaussianNoise(params["sigma"])).to(device)

    splits = {name: in_turn(split) for name, split in images(options["images"]).items()}
    return Problem(splits, measure, physics, random)


def bsd68(sigma: int) -> Track:
    return Track(
        task="denoising",
        name=f"bsd68-s{sigma}",
        title=f"BSD68, sigma {sigma}",
        version=1,
        metrics=psnr_ssim(1.0),
        # 4 minutes of a U-Net on an H100 at least: the kernels of 128 patches took 5.5 ms
        budget=Budget(trials=12, images=10, steps=20_000, batch=256, seconds=6 * 3600, validation=40),
        options={"images": "bsd", "sigma": sigma, "patch": 64},
        denoising=True,
        data=("bsd400", "bsd68"),
        tested_on=("bsd68",),
        citation="Zhang et al., Beyond a Gaussian Denoiser, IEEE TIP 26(7), 2017",
    )


MIXED = replace(
    bsd68(25),
    name="bsd68-mixed",
    title="BSD68, sigma 15, 25 and 50 in turn; learns from all up to 55",
    # The patches and batches of blind DnCNN, which learned from seven times as many; each sigma on 13 validation images
    budget=Budget(trials=12, images=9, steps=20_000, batch=128, seconds=6 * 3600, validation=39),
    options={"images": "bsd", "sigmas": [15, 25, 50], "trained_sigmas": [0, 55], "patch": 50},
)
SHIFTS = (
    Shift(
        "level",
        "sigma of Gaussian noise",
        {"10": {"sigma": 10}, "15": {"sigma": 15}, "25": {}, "35": {"sigma": 35}, "50": {"sigma": 50}},
    ),
    Shift(
        "law",
        "law of the noise, at a mean power like that of sigma 25",
        {
            "Gaussian": {},
            "Laplace": {"noise": "laplace"},
            "Poisson": {"noise": "poisson", "sigma": None, "peak": 50},
            "speckle": {"noise": "speckle", "sigma": None, "looks": 26},
            "impulse": {"noise": "impulse", "sigma": None, "probability": 0.03},
        },
        ordered=False,
    ),
)
MINI = Track(
    task="denoising",
    name="mini",
    title="Photographs, sigma 25",
    version=2,
    metrics=psnr_ssim(1.0),
    budget=Budget(),
    options={"images": "photographs", "sigma": 25, "patch": 64},
    denoising=True,
    split_unit="scene",
    shifts=SHIFTS,
)


def with_noise(track: Track, prefix: str, set_title: str, noise: str) -> Track:
    """A track of Gaussian noise with its images and its budget, but another noise law."""
    title, level = LEVELS[noise]
    options: dict[str, Any] = {name: value for name, value in track.options.items() if name != "sigma"}
    return replace(
        track,
        name=f"{prefix}-{noise}",
        title=f"{set_title}, {title}",
        options={**options, "noise": noise, **level},
        noise=noise,
        citation="",
        shifts=(),
    )


TASK = Task(
    "denoising",
    "Removal of noise",
    (
        MINI,
        *(with_noise(MINI, "mini", "Photographs", noise) for noise in LEVELS),
        *(bsd68(sigma) for sigma in (15, 25, 50)),
        *(with_noise(bsd68(25), "bsd68", "BSD68", noise) for noise in LEVELS),
        MIXED,
    ),
    open_track,
)

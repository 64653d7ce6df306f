"""Deblurring: y = h * x + n, a known kernel h, circular boundary, n white and Gaussian, of deviation 2 / 255.

Blind tracks have another kernel for each image, which methods are not told (`tasks.physics.blind_blur`). Nothing in y
tells a shifted kernel from a shifted image: the centre of mass of every kernel is its centre pixel's, and a method is
to centre its own. One that does not is scored by the last metric, which forgives a shift.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bench.contract.space import Float
from bench.contract.task import Budget, Problem, Shift, Task, Track
from tasks.metrics.declared import psnr_of_best_shift, psnr_ssim

if TYPE_CHECKING:
    from torch import Tensor

NOISE = 2 / 255
GAUSSIAN = {"kind": "gaussian", "sigma": 1.6, "size": 25}  # the blur of Danielyan et al., IEEE TIP 21(4), 2012
MOTION = {"kind": "motion", "seed": 5, "size": 25, "length": 20.0}
RANDOM = {"kind": "random", "size": 15, "sigma": (0.8, 2.4), "length": (5.0, 12.0)}
WIENER = {"noise_to_signal": Float(1e-4, 1.0, log=True)}
WIENER_DEFAULTS = {"noise_to_signal": 0.1}


def open_track(track: Track) -> Problem:
    return open_blind(track) if track.blind else open_known(track)


def open_known(track: Track) -> Problem:
    import torch

    from tasks.datasets.natural import augment, images
    from tasks.physics.blur import CircularBlur
    from tasks.physics.blur_kernels import gaussian_kernel, motion_kernel
    from tasks.physics.noise import gaussian

    noise = gaussian(NOISE)
    declared = {key: value for key, value in track.options["blur"].items() if key != "kind"}
    makers: dict[str, Callable[..., Tensor]] = {"gaussian": gaussian_kernel, "motion": motion_kernel}
    make = makers[track.options["blur"]["kind"]]
    kernel = make(**declared)
    exact = CircularBlur(kernel)

    def measure(image, rng):
        x = torch.from_numpy(image)[None]
        return x, torch.from_numpy(noise.draw(exact.A(x[None])[0].numpy(), rng)), {}

    def physics(params, device):
        return CircularBlur(kernel, noise.model(), device)

    return Problem(images(track.options["images"]), measure, physics, augment(track.options["patch"]))


def open_blind(track: Track) -> Problem:
    import torch

    from tasks.datasets.natural import augment, images
    from tasks.physics.blind_blur import BlindBlur
    from tasks.physics.blur import CircularBlur
    from tasks.physics.blur_kernels import random_kernel
    from tasks.physics.noise import gaussian

    noise = gaussian(NOISE)
    declared = {key: value for key, value in track.options["blur"].items() if key != "kind"}

    def measure(image, rng):
        x = torch.from_numpy(image)[None]
        blur = CircularBlur(random_kernel(rng, **declared))
        return x, torch.from_numpy(noise.draw(blur.A(x[None])[0].numpy(), rng)), {}

    def physics(params, device):
        return BlindBlur(declared["size"], noise.model(), device).to(device)

    return Problem(images(track.options["images"]), measure, physics, augment(track.options["patch"]))


def bsd68(name: str, title: str, blur: dict[str, Any]) -> Track:
    return Track(
        task="deblurring",
        name=f"bsd68-{name}",
        title=f"BSD68, {title}, noise 2/255",
        version=1,
        metrics=psnr_ssim(1.0),
        # 4 minutes of a U-Net on an H100 at least: the kernels of 128 patches took 5.5 ms
        budget=Budget(trials=12, images=10, steps=20_000, batch=256, seconds=6 * 3600, validation=40),
        options={"images": "bsd", "blur": blur, "patch": 64},
        data=("bsd400", "bsd68"),
        tested_on=("bsd68",),
        direct_space=WIENER,
        direct_defaults=WIENER_DEFAULTS,
    )


SHIFTS = (
    Shift(
        "width",
        "standard deviation of the Gaussian kernel in pixels",
        {
            str(s): {"blur": {**GAUSSIAN, "sigma": s}} if s != GAUSSIAN["sigma"] else {}
            for s in (0.8, 1.2, 1.6, 2.4, 3.2)
        },
    ),
    Shift("kernel", "kernel of the blur", {"Gaussian": {}, "motion": {"blur": MOTION}}, ordered=False),
)
MINI = Track(
    task="deblurring",
    name="mini",
    title="Photographs, Gaussian blur, noise 2/255",
    version=2,
    metrics=psnr_ssim(1.0),
    budget=Budget(),
    options={"images": "photographs", "blur": GAUSSIAN, "patch": 64},
    direct_space=WIENER,
    direct_defaults=WIENER_DEFAULTS,
    split_unit="scene",
    shifts=SHIFTS,
)

MINI_BLIND = replace(
    MINI,
    name="mini-blind",
    title="Photographs, unknown Gaussian or motion blur, noise 2/255",
    metrics=(*psnr_ssim(1.0), psnr_of_best_shift(1.0)),
    options={"images": "photographs", "blur": RANDOM, "patch": 64},
    blind=True,
    shifts=(),
    direct_space={},
    direct_defaults={},
)

TASK = Task(
    "deblurring",
    "Deconvolution",
    (
        MINI,
        MINI_BLIND,
        bsd68("gaussian", "Gaussian blur of 1.6 pixels", GAUSSIAN),
        bsd68("motion", "motion blur", MOTION),
    ),
    open_track,
)

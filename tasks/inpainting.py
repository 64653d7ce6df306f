"""Inpainting: y = m (x + n), m a mask of zeros and ones, n white and Gaussian."""

from __future__ import annotations

from typing import Any

from bench.contract.task import Budget, Problem, Shift, Task, Track
from tasks.metrics.declared import psnr_ssim


def open_track(track: Track) -> Problem:
    import torch

    from tasks.datasets.natural import augment, images
    from tasks.physics.inpainting import Inpainting
    from tasks.physics.noise import gaussian
    from tasks.physics.placing import on_each_device

    noise = gaussian(track.options["noise"] / 255)
    noise_model = on_each_device(noise.model)

    def measure(image, rng):
        x = torch.from_numpy(image)[None]
        mask = torch.from_numpy(draw_mask(track.options["mask"], image.shape, rng))[None]
        return x, mask * torch.from_numpy(noise.draw(image[None], rng)), {"mask": mask}

    def physics(params, device):
        return Inpainting(params["mask"], noise_model(device), device)

    return Problem(images(track.options["images"]), measure, physics, augment(track.options["patch"]))


def draw_mask(declared: dict[str, Any], shape, rng):
    """A float64 mask (H, W): pixels missing at random, or square boxes, one anywhere in each cell of a grid."""
    import numpy as np

    if "missing" in declared:
        return (rng.random(shape) >= declared["missing"]).astype(np.float64)
    mask = np.ones(shape)
    cell, box = declared["cell"], declared["box"]
    for top in range(0, shape[0] - cell + 1, cell):
        for left in range(0, shape[1] - cell + 1, cell):
            row, column = rng.integers(cell - box + 1, size=2)
            mask[top + row : top + row + box, left + column : left + column + box] = 0
    return mask


def bsd68(name: str, title: str, mask: dict[str, Any]) -> Track:
    return Track(
        task="inpainting",
        name=f"bsd68-{name}",
        title=f"BSD68, {title}, noise 5/255",
        version=1,
        metrics=psnr_ssim(1.0),
        # 5 minutes of a U-Net on an H100 at least: the kernels of 128 patches took 8 ms
        budget=Budget(trials=12, images=10, steps=20_000, batch=256, seconds=6 * 3600, validation=40),
        options={"images": "bsd", "mask": mask, "noise": 5, "patch": 64},
        data=("bsd400", "bsd68"),
        tested_on=("bsd68",),
    )


SHIFTS = (
    Shift(
        "missing",
        "share of missing pixels",
        {str(share): {"mask": {"missing": share}} if share != 0.5 else {} for share in (0.3, 0.4, 0.5, 0.65, 0.8)},
        more=("0.4", "0.3"),
    ),
    Shift(
        "mask", "what is missing", {"pixels": {}, "boxes of 16 x 16": {"mask": {"cell": 32, "box": 16}}}, ordered=False
    ),
)
MINI = Track(
    task="inpainting",
    name="mini",
    title="Photographs, half the pixels, noise 15/255",
    version=2,
    metrics=psnr_ssim(1.0),
    budget=Budget(),
    options={"images": "photographs", "mask": {"missing": 0.5}, "noise": 15, "patch": 64},
    split_unit="scene",
    shifts=SHIFTS,
)

TASK = Task(
    "inpainting",
    "Filling in missing pixels",
    (
        MINI,
        bsd68("random50", "half the pixels at random", {"missing": 0.5}),
        bsd68("random80", "a fifth of the pixels at random", {"missing": 0.8}),
        bsd68("box", "boxes of 16 x 16 missing", {"cell": 64, "box": 16}),
    ),
    open_track,
)

"""Sparse-view and limited-angle CT: y = A x, parallel-beam line integrals of attenuation, with photon noise.

x is attenuation in 1/cm, y is post-log. Measurements are made from an image of twice the resolution.

Emission tomography shares the operator: x is activity, here proportional to the attenuation, and y counts per ray
over the counts that an activity of one yields per cm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import radians
from typing import Any

from bench.contract.space import Choice, Float, Range
from bench.contract.task import Budget, Problem, Shift, Task, Track
from tasks.metrics.declared import psnr_ssim

MAXIMUM = 0.4  # 1/cm, the data range of phantoms
AAPM_MAXIMUM = 0.45  # 1/cm, given to the value 1 of slices whose Hounsfield units are lost: soft tissue is 0.2 then
AAPM_FIELD = 36.0  # cm, the side of a slice, typical of abdominal CT
GAIN = 1.1  # of the attenuation of training phantoms
JOIN_EVERY = 250  # training samples: a new phantom takes half a second, 2 ms for each of them
WINDOWS: dict[str, Range] = {
    "window": Choice(("ram-lak", "shepp-logan", "cosine", "hamming", "hann")),
    "cutoff": Float(0.3, 1.0),
}
WINDOW_DEFAULTS = {"window": "ram-lak", "cutoff": 1.0}


def open_track(track: Track) -> Problem:
    import numpy as np
    from torch.nn.functional import avg_pool2d

    from tasks.datasets.aapm import aapm12
    from tasks.datasets.augmentation import gain, symmetry
    from tasks.phantoms.split import phantom_split
    from tasks.phantoms.thorax import thorax

    options = track.options
    exact, noise, measure, physics = scanner(options)
    size = 2 * options["size"]
    counts = {"train": options["train"], "val": max(8, track.budget.validation_images), "test": 16}
    splits = {split: phantom_split(split, count, thorax, size) for split, count in counts.items()}
    if not track.data:
        return Problem(splits, measure, physics)

    def augment(arrays, rng):
        """Mirrored left to right, and of another energy; phantoms differ in place and size."""
        return {"image": np.float32(gain(rng, GAIN)) * symmetry(rng, (1,))(arrays["image"])}

    def simulate(arrays, generator):
        image = arrays["image"][None]
        model = noise.model().to(image.device)
        model.rng = generator
        return avg_pool2d(image, 2), model(exact(image.device).A(image[None])[0]), {}

    slices = aapm12()
    splits["test"] = replace(slices, load=lambda name: {"image": AAPM_MAXIMUM * slices.load(name)})
    splits["train"] = phantom_split("train", track.training["phantoms"], thorax, size, join_every=JOIN_EVERY)
    return Problem(splits, measure, physics, augment, simulate)


def scanner(options: Mapping[str, Any]):
    """The scan of images {"image": (2 size, 2 size)}: its fine operator by device, noise, `measure` and `physics`.

    The options give size, views, arc in degrees, field in cm, and the photons of a ray or the counts of an emission.
    """
    from functools import cache

    import numpy as np
    import torch

    from tasks.phantoms.shapes import coarsen
    from tasks.physics.ct import CT
    from tasks.physics.noise import photon, poisson
    from tasks.physics.projector import Geometry

    size, views = options["size"], options["views"]
    noise = poisson(options["counts"]) if "counts" in options else photon(options["photons"])
    pixel = options["field"] / size
    arc = radians(options["arc"])
    geometry = Geometry.parallel(size, views, arc=arc, pixel=pixel)
    fine = Geometry.parallel(2 * size, views, arc=arc, pixel=pixel / 2, spacing=pixel, bins=geometry.bins)

    @cache  # and not made in processes that only draw training images
    def exact(device: torch.device = torch.device("cpu")) -> CT:  # noqa: B008
        return CT(fine, device=device)

    def measure(arrays, rng):
        image = arrays["image"].astype(np.float64, copy=False)
        line_integrals = exact().A(torch.from_numpy(image)[None, None])[0]
        y = torch.from_numpy(noise.draw(line_integrals.numpy(), rng))
        return torch.from_numpy(coarsen(image))[None], y, {}

    def physics(params, device):
        return CT(geometry, noise.model(), device)

    return exact, noise, measure, physics


def aapm(name: str, title: str, views: int, arc: float) -> Track:
    return Track(
        task="ct",
        name=f"aapm12-{name}",
        title=f"AAPM abdomen, {title}; learns from phantoms",
        version=1,
        metrics=psnr_ssim(AAPM_MAXIMUM),
        # 35 minutes of a U-Net on an H100, by the 25 steps/s of an MRI track of this size
        budget=Budget(trials=12, images=4, steps=50_000, batch=4, seconds=6 * 3600, validation=16),
        training_version=2,
        training={"phantoms": 800},  # 0.8 GB in the cache
        options={
            "size": 256,
            "views": views,
            "arc": arc,
            "photons": 1e5,
            "field": AAPM_FIELD,
            "train": 100,  # of the first training version; rows of methods that are not trained know it
        },
        noise="photon",
        modality="ct",
        same_grid=False,
        data=("aapm12",),
        split_unit="source",
        direct_space=WINDOWS,
        direct_defaults=WINDOW_DEFAULTS,
    )


SHIFTS = (
    Shift("views", "number of views", {str(n): {"views": n} if n != 24 else {} for n in (12, 18, 24, 36, 48)}),
    Shift(
        "photons",
        "photons a ray",
        {f"{n:.0e}".replace("e+0", "e"): {"photons": n} if n != 1e4 else {} for n in (1e3, 3e3, 1e4, 3e4, 1e5)},
    ),
)
MINI = Track(
    task="ct",
    name="mini",
    title="Thorax phantoms, 24 views, 1e4 photons",
    version=1,
    metrics=psnr_ssim(MAXIMUM),
    budget=Budget(steps=350, batch=2),
    options={"size": 96, "views": 24, "arc": 180, "photons": 1e4, "field": 40.0, "train": 200},
    noise="photon",
    modality="ct",
    same_grid=False,
    split_unit="phantom",
    direct_space=WINDOWS,
    direct_defaults=WINDOW_DEFAULTS,
    shifts=SHIFTS,
)

EMISSION = replace(
    MINI,
    name="mini-emission",
    title="Emission from thorax phantoms, 48 views, 20 counts along the longest rays",
    version=2,
    options={"size": 96, "views": 48, "arc": 180, "counts": 3, "field": 40.0, "train": 200},
    noise="poisson",
    direct_space={**WINDOWS, "cutoff": Float(0.1, 1.0)},  # so few counts want a smoother window
    shifts=(),
)

TASK = Task(
    "ct",
    "Sparse-view and limited-angle computed tomography",
    (MINI, EMISSION, aapm("60", "60 views", 60, 180), aapm("limited", "120 views over 120 degrees", 120, 120)),
    open_track,
)

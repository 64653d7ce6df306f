"""Sparse-view and limited-angle CT: y = A x, parallel-beam line integrals of attenuation, with photon noise.

x is attenuation in 1/cm, y is post-log. Measurements are made from an image of twice the resolution.

Emission tomography shares the operator: x is activity, here proportional to the attenuation, and y counts per ray
over the counts that an activity of one yields per cm.

`mini-metal` counts photons of many energies (`tasks.physics.xray`); the hardening by water is undone in y, and A is the
usual one. x ends at 3071 HU, as 12-bit images do, and so does metal in it.

`ellipses` is a published experiment: the measurements are made on the grid of the reconstruction, and the noise is
white, 5 % of the mean absolute line integral of the image.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bench.contract.space import Choice, Float, Range
from bench.contract.task import Budget, Observer, Problem, Shift, Task, Track
from tasks.metrics.declared import outside_of_metal, psnr_ssim

MAXIMUM = 0.4  # 1/cm, the data range of phantoms
WATER = 0.194  # 1/cm, at 70 keV
CEILING = 0.79  # 1/cm, 3071 HU: the largest value of 12-bit images, where metal ends as it does in clinical images
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
    opened = open_metal if track.metal else open_ellipses if track.name == "ellipses" else open_scan
    return opened(track)


def open_scan(track: Track) -> Problem:
    import numpy as np
    import torch
    from torch.nn.functional import avg_pool2d

    from tasks.datasets.aapm import aapm12
    from tasks.datasets.augmentation import gain, symmetry
    from tasks.phantoms import thorax
    from tasks.phantoms.abdomen import abdominal
    from tasks.phantoms.split import phantom_split
    from tasks.scanners.ct import Scanner

    options = track.options
    scanner = Scanner(options)
    size = 2 * options["size"]
    counts = {"train": options["train"], "val": max(8, track.budget.validation_images), "test": 16}
    body, modules = (abdominal, (thorax,)) if options.get("anatomy") == "abdomen" else (thorax.thorax, ())
    splits = {split: phantom_split(split, n, body, size, modules=modules) for split, n in counts.items()}
    if not track.data:
        exact = {split: images.changed(scanner.without_noise) for split, images in splits.items()}
        return Problem(exact, scanner.draw, scanner.physics)

    def augment(arrays, rng):
        """Mirrored left to right, and of another energy; phantoms differ in place and size."""
        return {"image": np.float32(gain(rng, GAIN)) * symmetry(rng, (1,))(arrays["image"])}

    def simulate(arrays, generators):
        images = arrays["image"][:, None]
        operator: Any = scanner.exact(images.device)
        # One by one: in a batch of another size the product may be rounded otherwise, and other photons be counted.
        line_integrals = torch.cat([operator.A(one[None]) for one in images])
        return avg_pool2d(images, 2), operator.noise_model.each(line_integrals, generators), {}

    slices = aapm12()
    splits["test"] = slices.changed(lambda image: {"image": AAPM_MAXIMUM * image})
    splits["train"] = phantom_split("train", track.training["phantoms"], thorax.thorax, size, join_every=JOIN_EVERY)
    return Problem(splits, scanner.measure, scanner.physics, augment, simulate)


def open_metal(track: Track) -> Problem:
    from tasks.phantoms import thorax
    from tasks.phantoms.implants import implanted, materials
    from tasks.phantoms.split import phantom_split
    from tasks.physics import xray
    from tasks.scanners.metal import MetalScanner

    options = track.options
    scanner = MetalScanner(options, WATER)
    fine, counts = 2 * options["size"], {"train": options["train"], "val": 8, "test": 16}
    splits = {s: phantom_split(s, n, implanted, fine, materials, (thorax, xray)) for s, n in counts.items()}
    exact = {split: images.changed(scanner.without_noise) for split, images in splits.items()}
    return Problem(exact, scanner.draw, scanner.physics)


def open_ellipses(track: Track) -> Problem:
    """With the geometry of ODL's `parallel_beam_geometry`: a view is in the middle of its share of half a turn."""
    import math

    import torch
    from deepinv.physics import GaussianNoise
    from torch import Tensor

    from tasks.phantoms.ellipses import image_of, random_ellipses, random_head, shepp_logan, split_of
    from tasks.physics.ct import CT
    from tasks.physics.noise import normal
    from tasks.physics.projector import Geometry

    options = track.options
    size, views, bins = options["size"], options["views"], options["bins"]
    angles = tuple(math.pi * (i + 0.5) / views for i in range(views))
    geometry = Geometry(size, angles, bins, spacing=math.sqrt(2) * size / bins)

    def exact(ellipses: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = image_of(ellipses, size)[None]
        z = CT(geometry, device=x.device).A(x[None])[0]
        return x, z, options["noise"] * z.abs().mean()

    def measure(arrays, rng):
        x, z, sigma = exact(torch.from_numpy(arrays["ellipses"]))
        return x, z + sigma * torch.from_numpy(rng.standard_normal(z.shape)), {"sigma": sigma}

    def simulate(arrays, generators):
        x, z, sigma = map(torch.stack, zip(*map(exact, arrays["ellipses"]), strict=True))
        return x, z + sigma.reshape(-1, 1, 1, 1) * normal(z.shape[1:], generators, z.device), {"sigma": sigma}

    def physics(params, device):
        return CT(geometry, GaussianNoise(params["sigma"]), device)

    splits = {
        "train": split_of("train", options["train"], random_ellipses),
        "val": split_of("val", track.budget.validation_images, random_head),
        "test": split_of("test", 1, shepp_logan),
    }
    return Problem(splits, measure, physics, simulate=simulate)


def observer(**scan: float) -> Observer:
    """Of nodules, whose phantoms are scanned as the ones of a track."""
    return Observer("nodules:mini", "tasks.observers.network:frozen", "nodules", scan)


def aapm(name: str, title: str, views: int, arc: float) -> Track:
    return Track(
        task="ct",
        name=f"aapm12-{name}",
        title=f"AAPM abdomen, {title}; learns from phantoms",
        version=1,
        metrics=psnr_ssim(AAPM_MAXIMUM),
        # 7 minutes of a U-Net on an H100 at least: the kernels of 8 images took 14 ms
        budget=Budget(trials=12, images=4, steps=30_000, batch=8, seconds=6 * 3600, validation=16),
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


PHOTONS = ("1e3", "3e3", "1e4", "3e4", "1e5")
SHIFTS = (
    Shift(
        "views",
        "number of views",
        {str(n): {"views": n} if n != 24 else {} for n in (12, 18, 24, 36, 48)},
        more=("36", "48"),
    ),
    Shift("photons", "photons a ray", {n: {"photons": float(n)} if n != "1e4" else {} for n in PHOTONS}),
    Shift("anatomy", "part of the body", {"thorax": {}, "abdomen": {"anatomy": "abdomen"}}, ordered=False),
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
    observer=observer(views=24, photons=1e4),
)

METAL = replace(
    MINI,
    name="mini-metal",
    title="Implants of titanium and steel in thorax phantoms, 96 views, 120 kV, 1e5 photons; scored outside of metal",
    metrics=outside_of_metal(MAXIMUM, WATER),
    # One validation image of each kind of implant. After 350 steps a U-Net was below filtered backprojection.
    budget=Budget(images=4, steps=1000, batch=2),
    options={**MINI.options, "views": 96, "photons": 1e5, "voltage": 120, "filtration": 0.6, "ceiling": CEILING},
    metal=True,
    shifts=(Shift("photons", "photons a ray", {"1e4": {"photons": 1e4}, "1e5": {}, "1e6": {"photons": 1e6}}),),
    observer=None,
)

EMISSION = replace(
    MINI,
    name="mini-emission",
    title="Emission from thorax phantoms, 48 views, 20 counts along the longest rays",
    version=2,
    budget=Budget(steps=1000, batch=2),  # after 350 steps a U-Net was below filtered backprojection
    options={"size": 96, "views": 48, "arc": 180, "counts": 3, "field": 40.0, "train": 200},
    noise="poisson",
    direct_space={**WINDOWS, "cutoff": Float(0.1, 1.0)},  # so few counts want a smoother window
    shifts=(),
    observer=observer(views=48, counts=3),
)

ELLIPSES = Track(
    task="ct",
    name="ellipses",
    title="Modified Shepp-Logan phantom, 30 views, 5 % noise; learns from ellipses",
    version=1,
    metrics=psnr_ssim(1.0),  # from the least to the largest value of the test phantom
    # Half the steps of the paper. As many phantoms as it draws, each of which it shows ten times with the same noise.
    # Its weights of FBP and TV were set on the test phantom; here phantoms of its kind stand in for it.
    budget=Budget(trials=12, images=4, steps=50_000, batch=5, seconds=6 * 3600, validation=16),
    options={"size": 128, "views": 30, "bins": 183, "noise": 0.05, "train": 50_000},
    modality="ct",
    split_unit="phantom",
    direct_space=WINDOWS,
    direct_defaults=WINDOW_DEFAULTS,
    citation="Adler, Öktem, Learned Primal-Dual Reconstruction, IEEE TMI 37(6), 2018",
)

AAPM = (aapm("60", "60 views", 60, 180), aapm("limited", "120 views over 120 degrees", 120, 120))
TASK = Task(
    "ct", "Sparse-view and limited-angle computed tomography", (MINI, METAL, EMISSION, *AAPM, ELLIPSES), open_track
)

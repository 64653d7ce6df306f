"""Undersampled MRI: y = M F x + n, and y_c = M F (s_c x) + n for coils c, n white and complex.

Phantoms are complex and have twice the resolution of the reconstruction (`tasks.scanners.mri`).
"""

from __future__ import annotations

from functools import cache

from bench.contract.task import Budget, Observer, Problem, Shift, Task, Track
from tasks.metrics.declared import nmse, psnr_ssim

SHIFT, ZOOM, GAIN = 0.08, 1.2, 1.25  # of training images at most: share of the side, factors
# 4 minutes of a U-Net on an H100 at least: the kernels of 8 images took 8 ms
REAL = Budget(trials=12, images=4, steps=30_000, batch=8, seconds=6 * 3600, validation=16)
JOIN_EVERY = 80  # training samples: a new phantom takes 40 ms


def open_track(track: Track) -> Problem:
    return {"phantom": phantoms, "brain": brain_istanet, "siat": siat}[track.options["kind"]](track)


def phantoms(track: Track) -> Problem:
    """Complex phantoms of brains, or of abdomens for a shift, under variable-density Cartesian masks.

    There is one coil, or several with their maps in the params.
    """
    from tasks.phantoms import abdomen, brain, thorax
    from tasks.phantoms.abdominal_scan import abdominal_scan
    from tasks.phantoms.split import phantom_split
    from tasks.scanners.mri import Scanner

    scanner = Scanner(track.options)
    counts, size = {"train": 200, "val": 8, "test": 16}, 2 * track.options["size"]

    def images(split: str):
        if track.options.get("anatomy") == "abdomen":
            return phantom_split(split, counts[split], abdominal_scan, size, modules=(abdomen, brain, thorax))
        return phantom_split(split, counts[split], brain.brain, size)

    exact = {split: images(split).changed(scanner.without_noise) for split in counts}
    return Problem(exact, scanner.draw, scanner.physics)


def brain_istanet(track: Track) -> Problem:
    """Real images, one fixed mask, no noise: the protocol of ADMM-Net and ISTA-Net. Learns from cardiac images."""
    import numpy as np
    import torch

    from tasks.datasets import mri_sets
    from tasks.datasets.augmentation import gain, placement, symmetry
    from tasks.physics.mri import RealMRI

    mask = torch.from_numpy(mri_sets.istanet_mask(track.options["sampling"]).astype(float))[None]
    operator = RealMRI(mask[None])
    mask_on = cache(lambda device: mask.float().to(device))

    def measure(image, rng):
        x = torch.from_numpy(image)[None]
        return x, operator.A(x[None])[0], {"mask": mask}

    def physics(params, device):
        return RealMRI(params["mask"], device=device)

    def augment(image, rng):
        image = placement(rng, image.shape, SHIFT, ZOOM)(symmetry(rng, (0, 1), (0, 1))(image.astype(np.float32)))
        return gain(rng, GAIN) * np.maximum(image, 0)

    def simulate(arrays, generators):
        """As ``measure``, on the device: there is no noise."""
        x = arrays["image"][:, None]
        masks = mask_on(x.device).expand(len(x), *mask.shape)
        return x, RealMRI(masks, device=x.device).A(x), {"mask": masks}

    splits = {**mri_sets.cardiac_admmnet(), "test": mri_sets.brain_istanet()}
    return Problem(splits, measure, physics, augment, simulate)


def siat(track: Track) -> Problem:
    """Complex images, one fixed radial mask, no noise. Learns from complex phantoms."""
    import numpy as np
    import torch

    from tasks.datasets.augmentation import placement, symmetry
    from tasks.datasets.mri_sets import siat31, siat_mask
    from tasks.phantoms.brain import brain
    from tasks.phantoms.split import phantom_split
    from tasks.physics.mri import MRI
    from tasks.scanners.mri import as_channels, fft

    mask = torch.from_numpy(siat_mask("radial", track.options["sampling"]).astype(float))[None]
    mask_on = cache(lambda device: mask.float().to(device))

    def measure(arrays, rng):
        image = arrays["image"].astype(np.complex128, copy=False)
        y = mask.numpy()[0] * fft(image)
        return as_channels(image), as_channels(y), {"mask": mask}

    def physics(params, device):
        return MRI(params["mask"], device=device)

    def augment(arrays, rng):
        """Views of all directions, as the test images show them."""
        turned = symmetry(rng, (0, 1), (0, 1))(arrays["image"])
        return {"image": placement(rng, turned.shape, SHIFT, ZOOM)(turned)}

    def simulate(arrays, generators):
        """As ``measure``, on the device: there is no noise."""
        images = arrays["image"]
        x = torch.stack([images.real, images.imag], 1)
        masks = mask_on(x.device).expand(len(x), *mask.shape)
        return x, MRI(masks, device=x.device).A(x), {"mask": masks}

    size = mask.shape[-1]
    return Problem(
        {
            "train": phantom_split("train", track.training["phantoms"], brain, size, join_every=JOIN_EVERY),
            "val": phantom_split("val", track.budget.validation_images, brain, size),
            "test": siat31().changed(lambda image: {"image": image}),
        },
        measure,
        physics,
        augment,
        simulate,
    )


def shifts(acceleration: float) -> tuple[Shift, ...]:
    """Fewer and more samples, other masks, less and more noise, another part of the body."""
    return (
        Shift(
            "acceleration",
            "acceleration",
            {str(n): {"acceleration": n} if n != acceleration else {} for n in (2, 3, 4, 6, 8)},
            more=("3", "2") if acceleration == 4 else ("4", "3", "2"),
        ),
        Shift(
            "centre",
            "share of k-space at its centre that is fully sampled",
            {str(share): {"centre": share} if share != 0.08 else {} for share in (0.02, 0.04, 0.08, 0.16)},
        ),
        Shift(
            "noise",
            "standard deviation of the noise, of the largest magnitude",
            {str(n): {"noise": n} if n != 0.01 else {} for n in (0.003, 0.005, 0.01, 0.02, 0.04)},
        ),
        Shift("anatomy", "part of the body", {"brain": {}, "abdomen": {"anatomy": "abdomen"}}, ordered=False),
    )


def mini(name: str, title: str, coils: int, acceleration: float) -> Track:
    scan = {"size": 96, "coils": coils, "acceleration": acceleration, "centre": 0.08, "noise": 0.01}
    return Track(
        task="mri",
        name=name,
        title=title,
        version=1,
        metrics=(*psnr_ssim(1.0, "magnitude"), nmse("magnitude")),
        budget=Budget(steps=350, batch=2),
        options={"kind": "phantom", **scan},
        modality="mri",
        channels=2,
        measured_channels=2,
        same_grid=False,
        split_unit="phantom",
        shifts=shifts(acceleration),
        observer=Observer("tissue:mini", "tasks.observers.network:frozen", "tissue", scan),  # the same brains
    )


def radial(sampling: int) -> Track:
    return Track(
        task="mri",
        name=f"brain-r{sampling}",
        title=f"Brain, {sampling} % radial; learns from cardiac images",
        version=1,
        metrics=(*psnr_ssim(1.0), nmse()),
        budget=REAL,
        training_version=2,
        options={"kind": "brain", "sampling": sampling},
        noise="none",
        modality="mri",
        measured_channels=2,
        data=("brain-istanet", "cardiac-admmnet"),
        tested_on=("brain-istanet",),
        split_unit="block",
        citation="Yang et al., Deep ADMM-Net for Compressive Sensing MRI, NIPS 2016",
    )


SIAT = Track(
    task="mri",
    name="siat-radial20",
    title="Complex brain, 20 % radial; learns from phantoms",
    version=1,
    metrics=(*psnr_ssim(1.0, "magnitude"), nmse("magnitude")),
    budget=REAL,
    training_version=2,
    training={"phantoms": 1000},  # 0.5 GB in the cache
    options={"kind": "siat", "sampling": 20},
    noise="none",
    modality="mri",
    channels=2,
    measured_channels=2,
    data=("siat31",),
    split_unit="source",
)

TASK = Task(
    "mri",
    "Undersampled magnetic resonance imaging",
    (
        mini("mini", "Complex brain phantoms, 4x Cartesian", 0, 4),
        mini("mini-multicoil", "Complex brain phantoms, 6 coils, 6x Cartesian", 6, 6),
        *(radial(sampling) for sampling in (20, 30, 40, 50)),
        SIAT,
    ),
    open_track,
)

"""Quantitative susceptibility mapping: y = m (d * x + n), the field that susceptibility x makes, both in ppm, in 3D.

d is the dipole kernel and m the brain mask. Phantoms make their field on a grid of twice the resolution. The
reconstruction is scored inside the mask, up to its mean.

The error n of the phantoms is white noise of 0.0033 ppm plus a smooth error of 0.005 ppm rms, white noise under a
Gaussian of 1 to 2 voxels. It imitates the volume of the challenge: inside the mask its field differs from d * x of
the reference map by 0.0062 ppm rms, largely smooth, and outside it is zero but for 0.4 % of the voxels. This level was
measured once against the reference map; tuning and training use the test volume for nothing else. The phantoms of
`qsm2016` have voxels of 2 mm: with 4 mm, the best weight of a penalty per mm is far from the volume's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.contract.space import Float
from bench.contract.task import Budget, Images, Problem, Task, Track
from tasks.metrics.declared import QSM

if TYPE_CHECKING:
    import numpy as np

    from tasks.datasets.qsm2016 import Volume

FIELD_OF_VIEW = 192.0  # mm, the side of a phantom
B0 = (0.0, 0.0, 1.0)
GAIN = 1.2  # of the susceptibility of training phantoms
JOIN_EVERY = 400  # training samples: a new phantom takes four seconds
# ppm, ppm rms and voxels; measured against the reference of the challenge's volume
FIELD_ERROR = {"white": 0.0033, "smooth": 0.005, "widths": (1.0, 2.0)}
TKD = {"threshold": Float(0.02, 0.6)}
TKD_DEFAULTS = {"threshold": 0.2}


def open_track(track: Track) -> Problem:
    import numpy as np
    import torch

    from tasks.datasets.augmentation import gain, symmetry
    from tasks.datasets.qsm2016 import qsm2016
    from tasks.phantoms.head import head
    from tasks.phantoms.split import phantom_split
    from tasks.physics import convolution
    from tasks.physics import qsm as dipole
    from tasks.physics.noise import simulated_smooth, smooth
    from tasks.physics.placing import on_each_device
    from tasks.physics.qsm import Dipole

    error = track.options["field_error"]
    noise = smooth(error["white"], error["smooth"], error["widths"])
    noise_model = on_each_device(noise.model)
    counts = track.options["phantoms"] | track.training.get("phantoms", {})
    size = track.options["size"]

    def phantoms(split: str, join_every: int = 0) -> Images:
        return phantom_split(split, counts[split], head, 2 * size, coarse, (convolution, dipole), join_every)

    def measure(volumes, rng):
        x, field, mask = (
            torch.from_numpy(volumes[name]).double()[None] for name in ("susceptibility", "field", "mask")
        )
        if not volumes.get("measured", False):
            field = mask * torch.from_numpy(noise.draw(field.numpy(), rng))
        return x, field, {"mask": mask, "voxel": torch.from_numpy(volumes["voxel"])}

    def physics(params, device):
        voxel = tuple(params["voxel"][0].tolist())
        return Dipole(voxel, B0, noise_model(device), device, params["mask"])

    if not track.data:
        return Problem({split: phantoms(split) for split in counts}, measure, physics)

    def augment(volumes, rng):
        """Mirrored, turned about B0, and of a stronger or weaker susceptibility: all of it keeps the field true."""
        change, strength = symmetry(rng, (0, 1, 2), (0, 1)), np.array(gain(rng, GAIN))
        changed = {name: change(volumes[name]) for name in ("susceptibility", "field", "mask")}
        return {**changed, "strength": strength, "voxel": volumes["voxel"]}

    def simulate(volumes, generators):
        strength = volumes["strength"].reshape(-1, 1, 1, 1)
        x, field, mask = strength * volumes["susceptibility"], strength * volumes["field"], volumes["mask"]
        noisy = simulated_smooth(field, error["white"], error["smooth"], error["widths"], generators)
        voxel = torch.full((len(x), 3), FIELD_OF_VIEW / size)  # on the processor, where the operator asks for it
        return x[:, None], (mask * noisy)[:, None], {"mask": mask[:, None], "voxel": voxel}

    test = Images(("qsm2016",), lambda name: in_vivo(qsm2016()))
    splits = {"train": phantoms("train", JOIN_EVERY), "val": phantoms("val"), "test": test}
    return Problem(splits, measure, physics, augment, simulate)


def in_vivo(volume: Volume) -> dict[str, Any]:
    """The challenge's volume under the names that phantoms use; its field is measured and gets no more noise."""
    import numpy as np

    arrays = {"susceptibility": volume.chi, "field": volume.field, "mask": volume.mask.astype(float)}
    return {**arrays, "voxel": np.array(volume.voxel), "measured": True}


def coarse(made: tuple[np.ndarray, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of a phantom (fine susceptibility, fine mask): its field is made on the fine grid, then coarsened."""
    import numpy as np
    import torch

    from tasks.phantoms.shapes import coarsen
    from tasks.physics.qsm import Dipole

    susceptibility, mask = made
    voxel = FIELD_OF_VIEW / len(mask)
    field = Dipole((voxel,) * 3, B0).A(torch.from_numpy(susceptibility)[None, None])[0, 0].numpy()
    return {
        "susceptibility": coarsen(susceptibility),
        "field": coarsen(field),
        "mask": (coarsen(mask.astype(float)) > 0.5).astype(float),
        "voxel": np.array((2 * voxel,) * 3),
    }


MINI = Track(
    task="qsm",
    name="mini",
    title="3D head phantoms, white and smooth field error",
    version=2,
    metrics=QSM,
    budget=Budget(steps=1_000, batch=1),
    options={"size": 48, "field_error": FIELD_ERROR, "phantoms": {"train": 12, "val": 2, "test": 6}},
    modality="qsm",
    dims=3,
    same_grid=False,
    split_unit="phantom",
    direct_space=TKD,
    direct_defaults=TKD_DEFAULTS,
)

CHALLENGE = Track(
    task="qsm",
    name="qsm2016",
    title="QSM challenge 2016 in vivo; learns from phantoms",
    version=2,
    metrics=QSM,
    # 2 minutes of a U-Net on an H100 at least: the kernels of 4 volumes took 12 ms
    budget=Budget(trials=12, images=2, steps=8_000, batch=4, seconds=6 * 3600, validation=8),
    training_version=2,
    training={"phantoms": {"train": 64, "val": 8}},  # 0.8 GB in the cache; each takes four seconds to make
    options={"size": 96, "field_error": FIELD_ERROR, "phantoms": {"train": 12, "val": 2}},
    modality="qsm",
    dims=3,
    data=("qsm2016",),
    split_unit="source",
    direct_space=TKD,
    direct_defaults=TKD_DEFAULTS,
    citation="Langkammer et al., Quantitative Susceptibility Mapping: Report from the 2016 Challenge, MRM 79(3), 2018",
)

TASK = Task("qsm", "Quantitative susceptibility mapping", (MINI, CHALLENGE), open_track)

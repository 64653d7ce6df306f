"""Quantitative susceptibility mapping: y = d * x + n, the field that susceptibility x makes, both in ppm, in 3D.

Phantoms make their field on a grid of twice the resolution. The reconstruction is scored inside the brain mask, up to
its mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.contract.space import Float
from bench.contract.task import Budget, Images, Problem, Task, Track
from tasks.metrics.declared import QSM

if TYPE_CHECKING:
    import numpy as np

    from tasks.datasets.qsm2016 import Volume

SIZE = 48  # voxels a side of a phantom
VOXEL = 4.0  # mm, of a phantom
B0 = (0.0, 0.0, 1.0)
TKD = {"threshold": Float(0.02, 0.4)}
TKD_DEFAULTS = {"threshold": 0.2}


def open_track(track: Track) -> Problem:
    import torch
    from deepinv.physics import GaussianNoise

    from tasks.datasets.qsm2016 import qsm2016
    from tasks.phantoms.head import head
    from tasks.phantoms.split import phantom_split
    from tasks.physics import convolution
    from tasks.physics import qsm as dipole
    from tasks.physics.qsm import Dipole

    noise = track.options["noise"]
    counts = track.options["phantoms"]
    splits = {
        split: phantom_split(split, count, head, 2 * SIZE, coarse, (convolution, dipole))
        for split, count in counts.items()
    }
    if track.data:
        splits["test"] = Images(("qsm2016",), lambda name: in_vivo(qsm2016()))

    def measure(volumes, rng):
        x, field, mask = (torch.from_numpy(volumes[name])[None] for name in ("susceptibility", "field", "mask"))
        if not volumes.get("measured", False):
            field = field + noise * torch.from_numpy(rng.standard_normal(field.shape))
        return x, field, {"mask": mask, "voxel": torch.from_numpy(volumes["voxel"])}

    def physics(params, device):
        voxel = tuple(params["voxel"][0].tolist())
        return Dipole(voxel, B0, GaussianNoise(noise), device, params["mask"])

    return Problem(splits, measure, physics)


def in_vivo(volume: Volume) -> dict[str, Any]:
    """The challenge's volume by the names that phantoms use; its field is measured and gets no more noise."""
    import numpy as np

    arrays = {"susceptibility": volume.chi, "field": volume.field, "mask": volume.mask.astype(float)}
    return {**arrays, "voxel": np.array(volume.voxel), "measured": True}


def coarse(made: tuple[np.ndarray, np.ndarray]) -> dict[str, np.ndarray]:
    """Of a fine phantom and its mask: coarse susceptibility, the field made on the fine grid, coarse mask, voxel."""
    import numpy as np
    import torch

    from tasks.phantoms.shapes import coarsen
    from tasks.physics.qsm import Dipole

    susceptibility, mask = made
    field = Dipole((VOXEL / 2,) * 3, B0).A(torch.from_numpy(susceptibility)[None, None])[0, 0].numpy()
    return {
        "susceptibility": coarsen(susceptibility),
        "field": coarsen(field),
        "mask": (coarsen(mask.astype(float)) > 0.5).astype(float),
        "voxel": np.array((VOXEL,) * 3),
    }


MINI = Track(
    task="qsm",
    name="mini",
    title="3D head phantoms, noise 0.002 ppm",
    version=1,
    metrics=QSM,
    budget=Budget(steps=200, batch=1),
    options={"noise": 0.002, "phantoms": {"train": 12, "val": 2, "test": 6}},
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
    version=1,
    metrics=QSM,
    budget=Budget(trials=12, images=2, steps=4_000, batch=2),
    options={"noise": 0.002, "phantoms": {"train": 12, "val": 2}},
    modality="qsm",
    dims=3,
    data=("qsm2016",),
    split_unit="source",
    direct_space=TKD,
    direct_defaults=TKD_DEFAULTS,
    citation="Langkammer et al., Quantitative Susceptibility Mapping: Report from the 2016 Challenge, MRM 79(3), 2018",
)

TASK = Task("qsm", "Quantitative susceptibility mapping", (MINI, CHALLENGE), open_track)

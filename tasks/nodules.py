"""Lung nodules from sparse-view, low-dose CT: y = A x, and the finding is a map of the probability of a nodule.

The scan is the one of `tasks.ct`; the phantoms are `tasks.phantoms.lesions`. Half of the slices hold no nodule. Every
training slice is scanned once, as in a set of patients.

`msd-lung10` tests on ten real slices of six patients and learns from the phantoms. Its files hold Hounsfield numbers
clipped to [0, 255], so lung, fat and air are alike, and only gross lesions can be found: in half of the slices most of
the tumour is black too, and all methods miss some, the oracle as well. Phantoms are clipped in the same way, and their
truth holds the nodules of which at least a third is left. x is the attenuation beyond water in 1/cm,

    x = μ_w h / 1000,   h in [0, 255] HU,   μ_w = 0.19/cm,

as if the patient lay in water. A pixel is declared to be 40 cm / 512, since its size is lost. Every slice has a tumour,
so slices without one are not told apart (no AUROC).
"""

from __future__ import annotations

from dataclasses import replace

from bench.contract.task import Budget, Images, Problem, Task, Track
from tasks.ct import MAXIMUM, WINDOW_DEFAULTS, WINDOWS
from tasks.metrics.declared import NODULES, psnr_ssim

SPLITS = {"val": 40, "test": 80}  # slices; a set of few slices has too few nodules and false positives to score
JOIN_EVERY = 160  # training samples of the real track: a new phantom takes a sixth of a second
DENSEST = 0.04845  # 1/cm beyond water, of 255 HU: the data range of real slices


def open_track(track: Track) -> Problem:
    import numpy as np
    import torch

    from tasks.phantoms import thorax
    from tasks.phantoms.lesions import MOST, Chest, chest
    from tasks.phantoms.shapes import coarsen
    from tasks.phantoms.split import phantom_split
    from tasks.scanners.ct import Scanner

    options = track.options
    size = options["size"]
    scanner = Scanner(options)

    def arrays(made: Chest):
        nodules = np.zeros((MOST, 3))
        nodules[: len(made.nodules)] = np.reshape(made.nodules, (-1, 3))
        return {"image": made.image, "cover": made.cover, "nodules": nodules}

    def measure(slice_, rng):
        nodules = slice_["nodules"] * size  # in pixels, of which the first has its centre at 1/2
        nodules[nodules[:, 2] > 0, :2] -= 0.5
        mask = coarsen(slice_["cover"]) > 0.5
        for row, column, radius in nodules:  # the smallest fill no pixel by half
            if radius > 0:
                mask[tuple(np.clip(np.rint((row, column)).astype(int), 0, size - 1))] = True
        target = {"map": torch.from_numpy(mask[None].astype(float)), "nodules": torch.from_numpy(nodules)}
        return *scanner.measure(slice_, rng), target

    def phantoms(split: str, count: int, join_every: int = 0) -> Images:
        return phantom_split(split, count, chest, 2 * size, arrays, (thorax,), join_every)

    splits = {split: phantoms(split, count) for split, count in {"train": options["train"], **SPLITS}.items()}
    if track.data:
        from tasks.datasets.clipped_ct import clipped_phantoms, real_chests

        splits["train"] = clipped_phantoms(phantoms("train", options["train"], JOIN_EVERY))
        splits["val"] = clipped_phantoms(splits["val"])
        splits["test"] = real_chests(2 * size, MOST)
    return Problem(splits, measure, scanner.physics, measured_once=True)


MINI = Track(
    task="nodules",
    name="mini",
    title="Nodules in thorax phantoms, 32 views, 5e3 photons",
    version=1,
    metrics=(*NODULES, *psnr_ssim(MAXIMUM)),
    budget=Budget(steps=1500, batch=4, validation=40),  # a score of a set wants many slices to choose a checkpoint by
    options={"size": 96, "views": 32, "arc": 180, "photons": 5e3, "field": 40.0, "train": 400},
    noise="photon",
    modality="ct",
    classes=1,
    same_grid=False,
    split_unit="phantom",
    direct_space=WINDOWS,
    direct_defaults=WINDOW_DEFAULTS,
    region="tasks.metrics.anatomy:lungs",
)

LUNG = replace(
    MINI,
    name="msd-lung10",
    title="Gross lung tumours in JPEG slices of 0 to 255 HU, 48 views; learns from phantoms",
    metrics=(*(one for one in NODULES if one.name != "auroc"), *psnr_ssim(DENSEST)),
    budget=Budget(steps=4000, batch=64, validation=40, seconds=3 * 3600),
    training_version=2,
    # A tumour differs from water twenty times less than from lung, so the noise is lower than in `mini` by as much
    options={"size": 128, "views": 48, "arc": 180, "photons": 4e4, "field": 40.0, "train": 400},
    data=("msd-lung10",),
    split_unit="patient",
    region="",  # lung is black here, and so is all around the body
    citation="Antonelli et al., The Medical Segmentation Decathlon, Nature Communications 13, 2022",
)

TASK = Task("nodules", "Lung nodules from sparse-view low-dose CT", (MINI, LUNG), open_track)

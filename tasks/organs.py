"""Organs of the upper abdomen from sparse-view CT: y = A x, and the finding is a map of the probability of each organ.

The scan is the one of `tasks.ct`. Methods learn on the phantoms of `tasks.phantoms.abdomen` and are tested on thirty
real slices. Limits: they are slices of one volume, so the board gives an order and no ranks; the labels that stand for
the truth were made by a network; validation slices are phantoms too, so they resemble the test slices in kind alone.

The organs are those of a few hundred pixels that occur in most slices: liver, spleen and spine in all of them, the
kidneys in 23. Stomach and colon are as large, but what fills them differs from patient to patient; the aorta has 34
pixels.

The volume has no finer grid than the one of the reconstruction. Its fine grid, on which y is made, is interpolated by
cubic splines, so x has less fine detail than the phantoms of `ct`.
"""

from __future__ import annotations

from bench.contract.task import Budget, Images, Problem, Task, Track
from tasks.ct import MAXIMUM, WINDOW_DEFAULTS, WINDOWS
from tasks.metrics.declared import psnr_ssim, tissues

ORGANS = ("liver", "spleen", "kidneys", "spine")  # channels of the finding
VALIDATION = 24  # phantoms
JOIN_EVERY = 160  # training samples: a new phantom takes a tenth of a second


def open_track(track: Track) -> Problem:
    import torch
    from scipy.ndimage import zoom

    from tasks.datasets.hounsfield import attenuation
    from tasks.datasets.totalseg import totalseg
    from tasks.phantoms import thorax
    from tasks.phantoms.abdomen import abdomen
    from tasks.phantoms.shapes import coarsen
    from tasks.phantoms.split import phantom_split
    from tasks.scanners.ct import Scanner

    size = track.options["size"]
    scanner = Scanner(track.options)

    def arrays(made):
        image, shares = made
        return {"image": image, "shares": coarsen(shares, 2, 2)}

    def measure(slice_, rng):  # shares have the grid of the reconstruction
        return *scanner.measure(slice_, rng), {"map": torch.from_numpy((slice_["shares"] > 0.5).astype(float))}

    volume = totalseg(size)

    def fine(slice_):
        between = zoom(slice_["image"], 2, order=3, mode="nearest", grid_mode=True)
        return {"image": attenuation(between), "shares": slice_["shares"]}

    def phantoms(split: str, count: int, join_every: int = 0) -> Images:
        return phantom_split(split, count, abdomen, 2 * size, arrays, (thorax,), join_every)

    splits = {
        "train": phantoms("train", track.options["train"], JOIN_EVERY),
        "val": phantoms("val", VALIDATION),
        "test": volume.changed(fine),
    }
    return Problem(splits, measure, scanner.physics, measured_once=True)


TOTALSEG = Track(
    task="organs",
    name="totalseg",
    title="Abdomen, 60 views; labels made by a network; learns from phantoms",
    version=1,
    metrics=(*tissues(*ORGANS), *psnr_ssim(MAXIMUM)),
    budget=Budget(steps=4000, batch=64, validation=VALIDATION, seconds=3 * 3600),
    training_version=2,
    options={"size": 128, "views": 60, "arc": 180, "photons": 1e5, "field": 38.4, "train": 400},
    noise="photon",
    modality="ct",
    classes=len(ORGANS),
    same_grid=False,
    data=("totalseg",),
    split_unit="volume",
    direct_space=WINDOWS,
    direct_defaults=WINDOW_DEFAULTS,
    citation="Wasserthal et al., TotalSegmentator: robust segmentation of 104 anatomic structures in CT images, "
    "Radiology: Artificial Intelligence 5(5), 2023",
)

TASK = Task("organs", "Abdominal organs from sparse-view CT", (TOTALSEG,), open_track)

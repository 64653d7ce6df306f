"""Grey matter, white matter and fluid of the brain from undersampled MRI: y = M F x + n.

The scan is the one of `tasks.mri`, the phantoms are its brains. The finding holds a map of the probability of each
tissue; scores count the pixels of which a tissue fills more than half. Every training slice is scanned once.
"""

from __future__ import annotations

from bench.contract.task import Budget, Problem, Task, Track
from tasks.metrics.declared import psnr_ssim, tissues

TISSUES = ("grey", "white", "fluid")  # channels of the finding


def open_track(track: Track) -> Problem:
    import torch

    from tasks.phantoms.brain import labelled_brain
    from tasks.phantoms.split import phantom_split
    from tasks.scanners.mri import Scanner, low_resolution

    size = track.options["size"]
    scanner = Scanner(track.options)

    def arrays(made):
        image, shares = made
        return {"image": image, "shares": shares}

    def measure(slice_, rng):
        shares = low_resolution(slice_["shares"], size).real  # on the grid of the reference
        return *scanner.measure(slice_, rng), {"map": torch.from_numpy((shares > 0.5).astype(float))}

    counts = {"train": track.options["train"], "val": 8, "test": 24}
    splits = {split: phantom_split(split, n, labelled_brain, 2 * size, arrays) for split, n in counts.items()}
    return Problem(splits, measure, scanner.physics, measured_once=True)


MINI = Track(
    task="tissue",
    name="mini",
    title="Tissues of brain phantoms, 4x Cartesian",
    version=1,
    metrics=(*tissues(*TISSUES), *psnr_ssim(1.0, "magnitude")),
    budget=Budget(steps=1000, batch=4, validation=8),  # after 350 an oracle is still far from its best
    options={"size": 96, "coils": 0, "acceleration": 4, "centre": 0.08, "noise": 0.03, "train": 160},
    modality="mri",
    channels=2,
    classes=len(TISSUES),
    measured_channels=2,
    same_grid=False,
    split_unit="phantom",
    region="tasks.metrics.anatomy:tissues",
)

TASK = Task("tissue", "Brain tissues from undersampled MRI", (MINI,), open_track)

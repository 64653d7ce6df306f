"""`python -m tests.gpu_train.prepare TRACK...`: makes the phantoms that trainings meet first, on all processors.

A training meets its first images and all validation images at its start and at its first look, one after another;
here they go into the cache, which it finds them in.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from bench.contract import registry
from bench.data.measurements import FIRST


def slow(track: str) -> bool:
    """Whether the training images of a track take long to make: then they join one by one."""
    one = registry.track(track)
    return bool(registry.load_task(one.task).open(one).images["train"].join_every)


def make(track: str, split: str, index: int) -> None:
    one = registry.track(track)
    images = registry.load_task(one.task).open(one).images[split]
    images.load(images.ids[index])


def main(tracks: list[str]) -> None:
    most = max(1, (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1) - 4)
    wanted = []
    for track in tracks:
        if slow(track):
            validation = registry.track(track).budget.validation_images
            wanted += [(track, "train", index) for index in range(FIRST)]
            wanted += [(track, "val", index) for index in range(validation)]
    if wanted:
        with ProcessPoolExecutor(min(most, len(wanted)), get_context("spawn")) as pool:
            list(pool.map(make, *zip(*wanted, strict=True)))


if __name__ == "__main__":
    main(sys.argv[1:])

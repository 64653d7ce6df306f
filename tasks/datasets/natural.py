"""Natural images for the photograph tracks: grey float64 in [0, 1], shape (H, W).

- ``photographs`` are embedded (`tasks.datasets.photographs`).
- ``bsd`` trains on BSD400 without its last block, validates on that block and tests on BSD68, whose images keep their
  two orientations. No ids tell which photographs belong together: a test looks for duplicates across the splits, and
  every photograph is a group of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.contract.task import Images
from bench.data.manifest import manifest
from tasks.datasets.photographs import Image, photographs
from tasks.datasets.reader import read

BSD_VAL = 40  # the last images of BSD400


def images(kind: str) -> dict[str, Images]:
    """The splits ``train``, ``val`` and ``test`` of ``photographs`` or ``bsd``."""
    return {"photographs": photographs, "bsd": bsd}[kind]()


def bsd() -> dict[str, Images]:
    train, test = ([Path(path).stem for path in sorted(manifest(name).files)] for name in ("bsd400", "bsd68"))
    return {
        "train": Images(tuple(train[:-BSD_VAL]), lambda image: read("bsd400", f"{image}.png") / 255),
        "val": Images(tuple(train[-BSD_VAL:]), lambda image: read("bsd400", f"{image}.png") / 255),
        "test": Images(tuple(test), lambda image: read("bsd68", f"{image}.png") / 255),
    }


def augment(patch: int) -> Callable[[Image, np.random.Generator], Image]:
    """Random ``patch`` x ``patch`` crop of an image (H, W), flipped and turned by multiples of 90 degrees."""

    def crop(image: Image, rng: np.random.Generator) -> Image:
        if min(image.shape) < patch:
            raise ValueError(f"a patch of {patch} pixels does not fit an image of shape {image.shape}")
        top, left = (int(rng.integers(size - patch + 1)) for size in image.shape)
        image = np.rot90(image[top : top + patch, left : left + patch], int(rng.integers(4)))
        return np.ascontiguousarray(image[:, ::-1] if rng.integers(2) else image)

    return crop

"""Natural images: grey float64 in [0, 1], shape (H, W).

- ``photographs`` are files inside scikit-image's wheel, cut into 96x96 crops after a downscale that removes their noise
  and compression. A scene belongs to one split. Training adds seeded dead leaves, because the scenes are few.
- ``bsd`` trains on BSD400 without its last block, validates on that block and tests on BSD68, whose images keep their
  two orientations. No ids tell which photographs belong together: a test looks for duplicates across the splits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contract.task import Images
from bench.data.manifest import manifest
from tasks.datasets.reader import read
from tasks.phantoms.dead_leaves import dead_leaves

Image = NDArray[np.float64]

CROP = 96
# Scene -> (file, side after the downscale / side before, top left corners of its crops)
TEST = {
    "camera": ("camera.png", 1 / 2, ((16, 16), (16, 112), (112, 40), (150, 150))),
    "astronaut": ("astronaut.png", 1 / 2, ((0, 60), (100, 20), (96, 120), (0, 160))),
    "chelsea": ("chelsea.png", 2 / 3, ((4, 40), (4, 136), (100, 60), (100, 156))),
    "coffee": ("coffee.png", 1 / 2, ((0, 80), (50, 192), (104, 96), (104, 0))),
}
VAL = {
    "coins": ("coins.png", 2 / 3, ((4, 4), (4, 100), (100, 52), (100, 150))),
    "rocket": ("rocket.jpg", 1 / 2, ((100, 110), (8, 8), (116, 210), (4, 206))),
}
TRAIN = {  # cut into all disjoint crops
    "motorcycle": ("motorcycle_left.png", 1 / 2),
    "page": ("page.png", 1),
    "text": ("text.png", 1),
    "ihc": ("ihc.png", 1 / 2),
    "brick": ("brick.png", 1 / 2),
    "grass": ("grass.png", 1 / 2),
    "gravel": ("gravel.png", 1 / 2),
    "retina": ("retina.jpg", 1 / 5),
    "hubble": ("hubble_deep_field.jpg", 1 / 4),
    "moon": ("moon.png", 1 / 2),
}
LEAVES_SEED, LEAVES = 2001, 158
BSD_VAL = 40  # the last images of BSD400


def images(kind: str) -> dict[str, Images]:
    """The splits ``train``, ``val`` and ``test`` of ``photographs`` or ``bsd``."""
    return {"photographs": _photographs, "bsd": _bsd}[kind]()


def augment(patch: int) -> Callable[[Image, np.random.Generator], Image]:
    """Random ``patch`` x ``patch`` crop of an image (H, W), flipped and turned by multiples of 90 degrees."""

    def crop(image: Image, rng: np.random.Generator) -> Image:
        if min(image.shape) < patch:
            raise ValueError(f"a patch of {patch} pixels does not fit an image of shape {image.shape}")
        top, left = (int(rng.integers(size - patch + 1)) for size in image.shape)
        image = np.rot90(image[top : top + patch, left : left + patch], int(rng.integers(4)))
        return np.ascontiguousarray(image[:, ::-1] if rng.integers(2) else image)

    return crop


def _photographs() -> dict[str, Images]:
    test = {f"{name}-{i}": (*scene[:2], corner) for name, scene in TEST.items() for i, corner in enumerate(scene[2])}
    # Round robin: a budget that sees only the first images still sees every scene.
    val = {f"{name}-{i}": (*VAL[name][:2], VAL[name][2][i]) for i in range(4) for name in VAL}
    train = {f"{name}-{i}": (*scene, i) for name, scene in TRAIN.items() for i in range(len(_tiles(*scene)))}
    leaves = {f"leaves-{i}": i for i in range(LEAVES)}

    def load_train(image: str) -> Image:
        if image in leaves:
            return _leaves(leaves[image]).copy()
        name, scale, i = train[image]
        return _cut(name, scale, _tiles(name, scale)[i])

    return {
        "train": Images((*train, *leaves), load_train),
        "val": Images(tuple(val), lambda image: _cut(*val[image])),
        "test": Images(tuple(test), lambda image: _cut(*test[image])),
    }


def _bsd() -> dict[str, Images]:
    train, test = ([Path(path).stem for path in sorted(manifest(name).files)] for name in ("bsd400", "bsd68"))
    return {
        "train": Images(tuple(train[:-BSD_VAL]), lambda image: read("bsd400", f"{image}.png") / 255),
        "val": Images(tuple(train[-BSD_VAL:]), lambda image: read("bsd400", f"{image}.png") / 255),
        "test": Images(tuple(test), lambda image: read("bsd68", f"{image}.png") / 255),
    }


@cache
def _scene(name: str, scale: float) -> Image:
    import skimage
    from skimage.color import rgb2gray
    from skimage.io import imread
    from skimage.transform import rescale

    image = imread(Path(skimage.__file__).parent / "data" / name) / 255
    if image.ndim == 3:
        image = rgb2gray(image[..., :3])
    return np.clip(rescale(image, scale, anti_aliasing=True) if scale != 1 else image, 0, 1)


@cache
def _tiles(name: str, scale: float) -> tuple[tuple[int, int], ...]:
    """Corners of the disjoint crops of a scene that are not almost blank, centred in it."""
    height, width = _scene(name, scale).shape
    rows, columns = (range(size % CROP // 2, size - CROP + 1, CROP) for size in (height, width))
    corners = ((row, column) for row in rows for column in columns)
    return tuple(corner for corner in corners if _cut(name, scale, corner).std() > 0.02)


def _cut(name: str, scale: float, corner: tuple[int, int]) -> Image:
    top, left = corner
    return _scene(name, scale)[top : top + CROP, left : left + CROP].copy()


@lru_cache(maxsize=LEAVES)
def _leaves(index: int) -> Image:
    return dead_leaves(LEAVES_SEED, index, CROP)

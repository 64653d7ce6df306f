"""Photographs inside the wheels of required packages: grey float64 in [0, 1], shape (H, W), no download.

scikit-image, PyWavelets and matplotlib ship them. A downscale removes their noise and compression before they are cut.
A scene belongs to one split, and the crops of a scene are one group. The test split has one 128x128 crop of each of 12
scenes. Validation has four 96x96 crops of each of two scenes. Training has the disjoint 96x96 crops of five other
scenes, and seeded dead leaves because these scenes are few.
"""

from __future__ import annotations

from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.contract.task import Images
from bench.data.cache import cached, code_hash
from tasks.phantoms import dead_leaves as phantoms
from tasks.phantoms.dead_leaves import dead_leaves

Image = NDArray[np.float64]
Corner = tuple[int, int]  # top and left, in pixels after the downscale

CROP, TEST_CROP = 96, 128
SKIMAGE, PYWT, MATPLOTLIB = "skimage/data", "pywt/data", "matplotlib/mpl-data/sample_data"
ALMOST_BLANK = 0.02  # standard deviation of a training crop that is left out


class Scene(NamedTuple):
    """A photograph: its file below the folder of installed packages, and side after the downscale / side before."""

    file: str
    scale: float


SCENES = {
    "aero": Scene(f"{PYWT}/aero.npz", 1 / 2),
    "ascent": Scene(f"{PYWT}/ascent.npz", 1 / 2),
    "astronaut": Scene(f"{SKIMAGE}/astronaut.png", 1 / 2),
    "brick": Scene(f"{SKIMAGE}/brick.png", 1 / 2),
    "camera": Scene(f"{SKIMAGE}/camera.png", 1 / 2),
    "chelsea": Scene(f"{SKIMAGE}/chelsea.png", 2 / 3),
    "coffee": Scene(f"{SKIMAGE}/coffee.png", 1 / 2),
    "coins": Scene(f"{SKIMAGE}/coins.png", 2 / 3),
    "grace_hopper": Scene(f"{MATPLOTLIB}/grace_hopper.jpg", 1 / 2),
    "grass": Scene(f"{SKIMAGE}/grass.png", 1 / 2),
    "gravel": Scene(f"{SKIMAGE}/gravel.png", 1 / 2),
    "hubble": Scene(f"{SKIMAGE}/hubble_deep_field.jpg", 1 / 4),
    "ihc": Scene(f"{SKIMAGE}/ihc.png", 1 / 2),
    "moon": Scene(f"{SKIMAGE}/moon.png", 1 / 2),
    "motorcycle": Scene(f"{SKIMAGE}/motorcycle_left.png", 1 / 2),
    "page": Scene(f"{SKIMAGE}/page.png", 1),
    "retina": Scene(f"{SKIMAGE}/retina.jpg", 1 / 5),
    "rocket": Scene(f"{SKIMAGE}/rocket.jpg", 1 / 2),
    "text": Scene(f"{SKIMAGE}/text.png", 1),
}
TEST: dict[str, Corner] = {
    "camera": (24, 60),
    "astronaut": (0, 50),
    "chelsea": (16, 90),
    "coffee": (10, 60),
    "motorcycle": (90, 130),
    "ascent": (40, 40),
    "aero": (40, 60),
    "grace_hopper": (10, 64),
    "brick": (64, 64),
    "page": (20, 20),
    "retina": (90, 24),
    "ihc": (10, 10),
}
VAL: dict[str, tuple[Corner, ...]] = {
    "coins": ((4, 4), (4, 100), (100, 52), (100, 150)),
    "rocket": ((100, 110), (8, 8), (116, 210), (4, 206)),
}
TRAIN = ("grass", "gravel", "hubble", "moon", "text")
TRAINING_IMAGES, LEAVES_SEED = 200, 2001


def photographs() -> dict[str, Images]:
    """The splits ``train``, ``val`` and ``test``. A test image has the name of its scene, others a number behind it."""
    # Round robin: a budget that sees only the first images still sees every scene.
    val = {f"{name}-{i}": (name, VAL[name][i]) for i in range(4) for name in VAL}
    train = {f"{name}-{i}": (name, corner) for name in TRAIN for i, corner in enumerate(_tiles(name))}
    leaves = {f"leaves-{i}": i for i in range(TRAINING_IMAGES - len(train))}

    def load_train(image: str) -> Image:
        return _leaves(leaves[image]).copy() if image in leaves else _crop(*train[image])

    return {
        "train": Images((*train, *leaves), load_train, lambda image: image if image in leaves else scene_of(image)),
        "val": Images(tuple(val), lambda image: _crop(*val[image]), scene_of),
        "test": Images(tuple(TEST), lambda image: _crop(image, TEST[image], TEST_CROP), scene_of),
    }


def scene_of(image: str) -> str:
    return image.partition("-")[0]


@cache
def _scene(name: str) -> Image:
    from skimage.color import rgb2gray
    from skimage.io import imread
    from skimage.transform import rescale

    file, scale = SCENES[name]
    path = _site(file)
    image = (np.load(path)["data"] if path.suffix == ".npz" else imread(path)) / 255
    if image.ndim == 3:
        image = rgb2gray(image[..., :3])
    return np.clip(rescale(image, scale, anti_aliasing=True) if scale != 1 else image, 0, 1)


def _site(file: str) -> Path:
    """The path of a file that an installed package ships; the package is not imported."""
    package, _, inside = file.partition("/")
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{file} is part of the package {package}, which is not installed")
    return Path(spec.origin).parent / inside


@cache
def _tiles(name: str) -> tuple[Corner, ...]:
    """Corners of the disjoint crops of a scene that are not almost blank, centred in it."""
    height, width = _scene(name).shape
    rows, columns = (range(size % CROP // 2, size - CROP + 1, CROP) for size in (height, width))
    corners = ((row, column) for row in rows for column in columns)
    return tuple(corner for corner in corners if _crop(name, corner).std() > ALMOST_BLANK)


def _crop(name: str, corner: Corner, side: int = CROP) -> Image:
    top, left = corner
    return _scene(name)[top : top + side, left : left + side].copy()


@lru_cache(maxsize=TRAINING_IMAGES)
def _leaves(index: int) -> Image:
    key = f"{_leaves_version()}-{LEAVES_SEED}-{index}-{CROP}"
    return cached("dead_leaves", key, lambda: {"image": dead_leaves(LEAVES_SEED, index, CROP)})["image"]


@cache
def _leaves_version() -> str:
    return code_hash(phantoms)

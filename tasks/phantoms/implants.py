"""Thorax slices with implants of metal: screws, rods and cages at the spine, pieces in the wall of the chest, wires.

The anatomy is `tasks.phantoms.thorax`, of another series. Four kinds follow each other from slice to slice:

- two pedicle screws, 5 to 7 mm thick and 3 to 4 cm long, from both sides of the arch into the vertebra;
- two rods along the spine, cut across, 5.5 to 8 mm, and in every second such slice a wire in the sternum;
- a cage in the place of most of a vertebra, 16 to 26 mm;
- a piece of steel of 5 to 16 mm in the wall of the chest, and a wire in the sternum.

At the spine half of the implants are of titanium, half of steel; wires are of steel, 3 to 5 mm. Sizes are of usual
implants, and steel is iron here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from tasks.phantoms.shapes import Array, coverage, ellipsoid, grid, stroke
from tasks.phantoms.thorax import FIELD_OF_VIEW, anatomy
from tasks.physics.xray import attenuation, soft_and_bone

MILLIMETRE = 2 / (10 * FIELD_OF_VIEW)  # in units of the grid
SERIES = 4
KINDS = ("screws", "rods", "cage", "wall")
BONE, AIR = 0.3, 0.15  # 1/cm: above lies cortical bone, below lung and air; contrast agent and texture reach 0.28
VERTEBRA = 0.1  # half the height of its body, in units of the grid
METALS = ("titanium", "iron")
MATERIALS = ("water", "bone", *METALS)


@dataclass
class Implanted:
    """A slice and the metal in it.

    ``image``: attenuation (size, size) of the anatomy alone in 1/cm. ``titanium``, ``iron``: the share of each pixel
    that they fill.
    """

    image: Array
    titanium: Array
    iron: Array


def implanted(seed: int, index: int, size: int = 192) -> Implanted:
    """Slice ``index`` of ``seed``."""
    rng = np.random.default_rng([SERIES, seed, index])
    image = anatomy(rng, size, lambda *_: None)
    found = Implanted(image, np.zeros((size, size)), np.zeros((size, size)))
    kind = KINDS[index % len(KINDS)]
    if kind == "wall":
        _wall(found, rng)
    else:
        metal = found.iron if rng.random() < 0.5 else found.titanium
        {"screws": _screws, "rods": _rods, "cage": _cage}[kind](metal, rng, *_vertebra(image))
    if kind == "wall" or (kind == "rods" and index % (2 * len(KINDS)) < len(KINDS)):
        _wire(found, rng)
    return found


def materials(made: Implanted) -> dict[str, Array]:
    """The attenuation of each material at 70 keV in 1/cm, and ``metal``, the share of each pixel that metal fills."""
    metal = made.titanium + made.iron
    water, bone = soft_and_bone(made.image)
    metals = {name: attenuation(name) * getattr(made, name) for name in METALS}
    return {"water": (1 - metal) * water, "bone": (1 - metal) * bone, **metals, "metal": metal}


def _vertebra(image: Array) -> tuple[float, float]:
    """The centre of the body of the vertebra, found by the bone at the back of the midline."""
    y, x = grid(*image.shape)
    rows, columns = np.nonzero((image > BONE) & (np.abs(x) < 0.2) & (y > 0.1))
    middle = float(x[0, columns].mean())
    return float(y[rows, 0][np.abs(x[0, columns] - middle) < 0.06].min()) + VERTEBRA, middle


def _screws(metal: Array, rng: np.random.Generator, row: float, column: float) -> None:
    radius = rng.uniform(2.5, 3.5) * MILLIMETRE
    for side in (-1, 1):
        head = np.array([row + rng.uniform(0.12, 0.15), column + side * rng.uniform(0.12, 0.15)])
        tip = np.array([row - rng.uniform(0.0, 0.04), column + side * rng.uniform(0.03, 0.05)])
        stroke(metal, head, tip, (radius, radius))


def _rods(metal: Array, rng: np.random.Generator, row: float, column: float) -> None:
    radius = rng.uniform(2.75, 4.0) * MILLIMETRE
    for side in (-1, 1):
        _disc(metal, (row + rng.uniform(0.14, 0.18), column + side * rng.uniform(0.07, 0.11)), radius, radius)


def _cage(metal: Array, rng: np.random.Generator, row: float, column: float) -> None:
    _disc(metal, (row, column), rng.uniform(8, 11) * MILLIMETRE, rng.uniform(9, 13) * MILLIMETRE)


def _wall(found: Implanted, rng: np.random.Generator) -> None:
    """Where soft tissue and bone at the side are thickest, or nearly so."""
    size = len(found.image)
    _, x = grid(size, size)
    depth = distance_transform_edt(found.image > AIR) * (2 / size) * (np.abs(x) > 0.4)
    row, column = _one_of(depth > 0.8 * depth.max(), rng)
    radius = rng.uniform(4, 8) * MILLIMETRE
    _disc(found.iron, (row, column), radius, radius * rng.uniform(0.6, 1), rng.uniform(0, math.pi))


def _wire(found: Implanted, rng: np.random.Generator) -> None:
    """In the bone at the front of the midline."""
    y, x = grid(*found.image.shape)
    place = _one_of((found.image > BONE) & (np.abs(x) < 0.1) & (y < 0), rng)
    radius = rng.uniform(1.5, 2.5) * MILLIMETRE
    _disc(found.iron, place, radius, radius)


def _disc(metal: Array, centre: tuple[float, float], tall: float, wide: float, angle: float = 0.0) -> None:
    distance = ellipsoid(grid(*metal.shape), centre, (tall, wide), angle)
    np.maximum(metal, coverage(distance, 2 / len(metal)), out=metal)


def _one_of(places: NDArray[np.bool_], rng: np.random.Generator) -> tuple[float, float]:
    """The coordinates of one of the pixels of a mask."""
    found = np.argwhere(places)
    row, column = (found[rng.integers(len(found))] + 0.5) * 2 / len(places) - 1
    return float(row), float(column)

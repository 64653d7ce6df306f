"""Lung nodules in thorax slices, with their truth, among structures that look like nodules in one slice.

Every second slice holds nodules of 3 to 30 mm: solid, part-solid (a solid core in a halo) and of ground glass. Every
slice holds vessels that cross it, vessels that run in it for a short way, fissures, and airways with thickened walls
or filled with mucus, all of up to 6 mm. A vessel that crosses the slice and a solid nodule of its size look alike, so
that no reader finds all nodules of one slice.

Kinds and sizes of nodules as defined by H. MacMahon et al., Guidelines for management of incidental pulmonary nodules,
Radiology 2017; the attenuation of ground glass lies between lung and soft tissue.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from tasks.phantoms.shapes import Array, coverage, ellipsoid, grid, paint, smooth_field, stroke
from tasks.phantoms.thorax import FIELD_OF_VIEW, MUSCLE, anatomy

SMALLEST, LARGEST = 3.0, 30.0  # mm, the diameter of a nodule
MOST = 3  # nodules of a slice
SOLID, GLASS = 0.2, 0.11  # 1/cm
MILLIMETRE = 2 / (10 * FIELD_OF_VIEW)  # in units of the grid
EDGE = 0.006  # width of a nodule's edge in units of the grid: 1.2 mm
AIR = 0.01  # 1/cm, in an airway
SERIES = 2  # the methods of the family raw_to_task were made on the slices of series 1


@dataclass
class Chest:
    """A slice and the nodules in it.

    ``image``: attenuation (size, size) in 1/cm. ``cover``: the share of each pixel that nodules fill. ``nodules``:
    row and column of the centre and the radius of each, in units of the side (the image spans [0, 1]).
    """

    image: Array
    cover: Array
    nodules: list[tuple[float, float, float]] = field(default_factory=list)


def chest(seed: int, index: int, size: int = 192) -> Chest:
    """Slice ``index`` of ``seed``; slices of odd index hold one to `MOST` nodules, the others none."""
    found = Chest(np.zeros((size, size)), np.zeros((size, size)))

    def lesions(image: Array, rng: np.random.Generator, lung: Array, room: Array) -> None:
        _mimics(image, rng, lung, room)
        for _ in range(rng.integers(1, MOST + 1) if index % 2 else 0):
            _nodule(image, rng, lung, room, found)

    found.image = anatomy(np.random.default_rng([SERIES, seed, index]), size, lesions)
    return found


def _nodule(image: Array, rng: np.random.Generator, lung: Array, room: Array, chest: Chest) -> None:
    """One nodule apart from the others; none where the lungs have no room for it."""
    size = len(image)
    radius = rng.uniform(SMALLEST, LARGEST) / 2 * MILLIMETRE
    y, x = grid(size, size)
    free = room < -radius
    for row, column, other in chest.nodules:
        apart = np.hypot(y - (2 * row - 1), x - (2 * column - 1))
        free = free & (apart > 2 * other + radius + 8 * MILLIMETRE)
    places = np.argwhere(free)
    if not len(places):
        return
    centre = (places[rng.integers(len(places))] + rng.uniform(0, 1, 2)) * 2 / size - 1
    stretch = rng.uniform(0.8, 1.0)
    distance = ellipsoid((y, x), centre, (radius, radius * stretch), rng.uniform(0, math.pi))
    lobes = smooth_field(rng, (size, size), 0.02)
    row, column = ((centre + 1) * size / 2).astype(int)
    distance = distance + 0.15 * radius * (lobes - lobes[row, column])  # a small nodule keeps its radius
    cover = coverage(distance, max(EDGE, 2 / size)) * lung
    kind = rng.choice(["solid", "part-solid", "glass"], p=[0.5, 0.2, 0.3])
    density = rng.uniform(0.92, 1.05)
    paint(image, density * (SOLID if kind == "solid" else GLASS), cover)
    if kind == "part-solid":
        core = coverage(distance + rng.uniform(0.35, 0.6) * radius, max(EDGE, 2 / size)) * lung
        paint(image, density * SOLID, core)
    np.maximum(chest.cover, cover, out=chest.cover)
    chest.nodules.append(((centre[0] + 1) / 2, (centre[1] + 1) / 2, radius / 2))


def _mimics(image: Array, rng: np.random.Generator, lung: Array, room: Array) -> None:
    size = len(image)
    places = np.argwhere(room < -0.02)
    if not len(places):
        return

    def somewhere() -> Array:
        return (places[rng.integers(len(places))] + 0.5) * 2 / size - 1

    vessels = np.zeros((size, size))
    for _ in range(rng.integers(6, 12)):  # across the slice, or in it for a short way
        start, angle = somewhere(), rng.uniform(0, 2 * math.pi)
        radius = rng.uniform(0.8, 2.5) * MILLIMETRE
        length = rng.uniform(0, 4) * radius
        end = start + length * np.array([math.sin(angle), math.cos(angle)])
        stroke(vessels, start, end, (radius, radius * rng.uniform(0.6, 1)))
    paint(image, MUSCLE, vessels * lung)
    for _ in range(rng.integers(1, 3)):  # fissures, which the slice cuts at an angle
        _fissure(image, rng, lung, somewhere())
    y, x = grid(size, size)
    for _ in range(rng.integers(2, 5)):  # airways
        radius = rng.uniform(1.0, 3.0) * MILLIMETRE
        tube = ellipsoid((y, x), somewhere(), (radius, radius * rng.uniform(0.8, 1.2)))
        wall = rng.uniform(1.0, 2.0) * MILLIMETRE
        paint(image, 0.8 * MUSCLE, coverage(tube - wall, 2 / size) * lung)
        paint(image, 0.6 * MUSCLE if rng.random() < 0.4 else AIR, coverage(tube, 2 / size) * lung)


def _fissure(image: Array, rng: np.random.Generator, lung: Array, centre: Array) -> None:
    """A faint bent line across a lung."""
    size = len(image)
    y, x = grid(size, size)
    angle = rng.uniform(-0.8, 0.8)
    across = (y - centre[0]) * math.cos(angle) - (x - centre[1]) * math.sin(angle)
    bent = across + 0.03 * smooth_field(rng, (size, size), 0.15)
    side = np.sign(x) == np.sign(centre[1])
    line = coverage(np.abs(bent) - rng.uniform(0.5, 1.5) * MILLIMETRE, 2 / size)
    paint(image, rng.uniform(0.08, 0.16), line * lung * side)

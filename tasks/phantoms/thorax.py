"""Thorax: seeded axial CT slices in linear attenuation, 1/cm.

Body wall of skin, fat and muscle, ribs, sternum, spine and shoulder blades, heart and great vessels, lungs with forking
vessels, airways and nodules. Tissues vary smoothly and carry texture, edges have partial volume. Attenuation near
70 keV, from the mass coefficients and densities of ICRU Report 44: water 0.19 to 0.2, soft tissue 0.2 to 0.21, fat
0.18, inflated lung 0.05, trabecular bone 0.26, cortical bone 0.38 (of mixed voxels; dense bone exceeds it).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tasks.phantoms.shapes import Array, coverage, ellipsoid, grid, paint, smooth_field, stroke

Pair = tuple[float, float]
Lesions = Callable[[Array, np.random.Generator, Array, Array], None]

FIELD_OF_VIEW = 40.0  # cm, the side of the image
MAXIMUM = 0.4  # 1/cm, the data range
SKIN, FAT, MUSCLE, BLOOD, LUNG, MARROW, CORTEX = 0.205, 0.182, 0.207, 0.211, 0.05, 0.26, 0.38
TEXTURE = 0.045  # standard deviation, relative
GRAIN = 0.009  # correlation length of the texture over the side: about a pixel of a 96x96 image


def thorax(seed: int, index: int, size: int = 192) -> Array:
    """Slice ``index`` of ``seed``: attenuation (size, size) in 1/cm, in [0, MAXIMUM]; front at the top."""
    return anatomy(np.random.default_rng([seed, index]), size, _nodules)


def anatomy(rng: np.random.Generator, size: int, lesions: Lesions) -> Array:
    """A slice whose lungs hold the ``lesions``, painted by a function of (image, rng, lung, room).

    ``lung`` is the coverage of the lungs, ``room`` the distance from their border and from the mediastinum, negative
    inside the lungs; both are (size, size).
    """
    pixel = 2 / size
    y, x = _warped(rng, size)
    image = np.zeros((size, size))

    wide, tall = rng.uniform(0.84, 0.94), rng.uniform(0.6, 0.7)
    outline = _box(y, x, (0, 0), (tall, wide))
    body = coverage(outline, pixel)
    paint(image, SKIN, body)
    paint(image, FAT, coverage(outline + 0.012, pixel))
    fat = rng.uniform(0.03, 0.09) * (1 + 0.35 * smooth_field(rng, (size, size), 0.12))
    paint(image, MUSCLE, coverage(outline + 0.012 + fat, pixel))

    cage = _box(y, x, (-0.02, 0), (rng.uniform(0.77, 0.82) * tall, rng.uniform(0.82, 0.87) * wide))
    _shoulder_blades(image, rng, y, x, cage)
    paint(image, FAT, coverage(np.abs(cage - 0.075) - 0.008, pixel) * rng.uniform(0.2, 0.9))
    _ribs(image, rng, y, x, cage)

    spine = (0.57 * tall, rng.normal(0, 0.01))
    heart_centre = (rng.uniform(-0.12, -0.02), rng.uniform(0.08, 0.17))
    heart_radii = (rng.uniform(0.19, 0.28), rng.uniform(0.24, 0.34))
    heart = ellipsoid((y, x), heart_centre, heart_radii, rng.uniform(0.2, 0.6))
    middle = ellipsoid((y, x), (0.1, 0.0), (0.6, rng.uniform(0.1, 0.16)))
    column = ellipsoid((y, x), spine, (0.15, 0.17))
    mediastinum = np.minimum(np.minimum(middle, heart - 0.012), column)
    lungs = np.maximum(cage + 0.045, -mediastinum)
    lung = coverage(lungs, pixel)

    paint(image, FAT, coverage(np.maximum(middle, cage + 0.045), pixel) * rng.uniform(0.4, 0.9))
    _heart(image, rng, y, x, heart_centre, heart_radii, heart)
    _lungs(image, rng, y, x, lung)
    lesions(image, rng, lung, np.maximum(lungs, -mediastinum))
    _great_vessels(image, rng, y, x, spine)
    _spine(image, rng, y, x, spine)

    variation = 1 + 0.03 * smooth_field(rng, (size, size), 0.12)
    image *= variation * (1 + TEXTURE * smooth_field(rng, (size, size), GRAIN))
    return np.clip(image, 0, MAXIMUM)


def _warped(rng: np.random.Generator, size: int) -> tuple[Array, Array]:
    """Coordinates of the grid, bent: no two subjects have the same outlines."""
    y, x = grid(size, size)
    bent = [axis + 0.016 * smooth_field(rng, (size, size), 0.14) for axis in (y, x)]
    tilt = rng.normal(0, 0.03)
    return bent[0] + tilt * bent[1], bent[1] - tilt * bent[0]


def _box(y: Array, x: Array, centre: Pair, radii: Pair) -> Array:
    """Distance, roughly, from an ellipse with fuller corners (a superellipse of exponent 2.6)."""
    value = (np.abs((y - centre[0]) / radii[0]) ** 2.6 + np.abs((x - centre[1]) / radii[1]) ** 2.6) ** (1 / 2.6)
    return (value - 1) * np.hypot(y - centre[0], x - centre[1]) / np.maximum(value, 1e-6)


def _bone(image: Array, distance: Array, wall: float) -> None:
    pixel = 2 / len(image)
    paint(image, CORTEX, coverage(distance, pixel))
    paint(image, MARROW, coverage(distance + wall, pixel))


def _ribs(image: Array, rng: np.random.Generator, y: Array, x: Array, cage: Array) -> None:
    """Arcs along the cage, as a slice cuts ribs that run downwards; and the sternum."""
    for side in (-1, 1):
        at = rng.uniform(0.5, 0.7)
        while at < 2.75:
            half = rng.uniform(0.08, 0.22)
            rib = np.maximum(np.abs(cage - 0.008) - rng.uniform(0.017, 0.024), _along(y, x, side * at, half))
            _bone(image, rib, 0.011)
            at += 2 * half + rng.uniform(0.1, 0.3)
    front = np.broadcast_to(y, cage.shape)[cage < 0].min()
    _bone(image, ellipsoid((y, x), (front - 0.02, 0.0), (0.03, rng.uniform(0.07, 0.11))), 0.011)


def _shoulder_blades(image: Array, rng: np.random.Generator, y: Array, x: Array, cage: Array) -> None:
    if rng.random() < 0.4:
        return
    height, thickness = rng.uniform(0.06, 0.075), rng.uniform(0.011, 0.016)
    for side in (-1, 1):
        along = _along(y, x, side * rng.uniform(2.15, 2.35), rng.uniform(0.16, 0.28))
        _bone(image, np.maximum(np.abs(cage - height - 0.3 * (along + 0.1)) - thickness, along), 0.009)


def _along(y: Array, x: Array, at: float, half: float) -> Array:
    """Distance from the sector of width 2 ``half`` around angle ``at``: 0 at the front, growing to the right."""
    angle = np.arctan2(x, -y)
    return (np.abs(np.angle(np.exp(1j * (angle - at)))) - half) * np.hypot(y, x)


def _heart(image: Array, rng: np.random.Generator, y: Array, x: Array, centre: Pair, radii: Pair, heart: Array) -> None:
    pixel = 2 / len(image)
    paint(image, FAT, coverage(heart - 0.012, pixel))
    paint(image, MUSCLE, coverage(heart, pixel))
    contrast = rng.choice([1.0, 1.0, 1.08, 1.15])  # some patients are given a contrast agent
    for dy, dx, share in ((0.05, 0.3, 0.5), (-0.2, -0.35, 0.48), (0.5, -0.1, 0.36)):
        at = (centre[0] + dy * radii[0], centre[1] + dx * radii[1])
        chamber = ellipsoid(
            (y, x), at, (share * radii[0], share * radii[1] * rng.uniform(0.85, 1.1)), rng.uniform(0, 1)
        )
        paint(image, contrast * BLOOD, coverage(chamber, 2 * pixel))


def _great_vessels(image: Array, rng: np.random.Generator, y: Array, x: Array, spine: Pair) -> None:
    pixel = 2 / len(image)
    contrast = rng.choice([1.0, 1.06, 1.14])
    aorta = ellipsoid((y, x), (spine[0] - 0.13, 0.13 + rng.normal(0, 0.01)), [rng.uniform(0.05, 0.065)] * 2)
    paint(image, FAT, coverage(aorta - 0.012, pixel))
    paint(image, contrast * BLOOD, coverage(aorta, pixel))
    gullet = (spine[0] - 0.2 + rng.normal(0, 0.01), rng.uniform(0, 0.05))
    paint(image, MUSCLE, coverage(ellipsoid((y, x), gullet, (0.024, 0.034)), pixel))
    if rng.random() < 0.3:
        paint(image, 0.0, coverage(ellipsoid((y, x), gullet, (0.008, 0.013)), pixel))
    for side in (-1, 1):  # main bronchi
        bronchus = ellipsoid((y, x), (0.1 + rng.normal(0, 0.015), side * rng.uniform(0.11, 0.15)), (0.038, 0.045))
        paint(image, MUSCLE, coverage(bronchus - 0.012, pixel))
        paint(image, 0.0, coverage(bronchus, pixel))


def _spine(image: Array, rng: np.random.Generator, y: Array, x: Array, centre: Pair) -> None:
    cy, cx = centre
    process = ellipsoid((y, x), (cy + 0.19, cx), (rng.uniform(0.05, 0.07), 0.018), rng.normal(0, 0.08))
    wings = ellipsoid((y + 0.12 * np.abs(x - cx), x), (cy + 0.11, cx), (0.028, rng.uniform(0.15, 0.2)))
    canal = ellipsoid((y, x), (cy + 0.125, cx), (0.042, 0.05))
    _bone(image, np.minimum(np.minimum(process, wings), np.abs(canal) - 0.018), 0.014)
    paint(image, 0.2, coverage(canal, 2 / len(image)))
    _bone(image, ellipsoid((y, x), (cy, cx), (rng.uniform(0.09, 0.105), rng.uniform(0.11, 0.13))), 0.016)


def _lungs(image: Array, rng: np.random.Generator, y: Array, x: Array, lung: Array) -> None:
    size = len(image)
    density = LUNG * rng.uniform(0.85, 1.25) * (1 + 0.25 * y + 0.12 * smooth_field(rng, (size, size), 0.06))
    paint(image, density, lung)
    vessels = np.zeros((size, size))
    for side in (-1, 1):
        for _ in range(rng.integers(4, 7)):
            start = np.array([0.1 + rng.normal(0, 0.06), side * rng.uniform(0.14, 0.22)])
            _branch(vessels, rng, start, rng.uniform(-1.25, 1.25), side, rng.uniform(0.012, 0.021))
    for _ in range(rng.integers(60, 110)):  # vessels that cross the slice
        at = rng.uniform((-0.6, -0.85), (0.6, 0.85))
        radius = 0.003 + rng.exponential(0.004)
        stroke(vessels, at, at + rng.normal(0, 0.006, 2), (radius, radius))
    paint(image, MUSCLE, vessels * lung)
    for _ in range(rng.integers(4, 9)):  # airways cut across
        at, radius = rng.uniform((-0.35, -0.6), (0.35, 0.6)), rng.uniform(0.008, 0.018)
        tube = ellipsoid((y, x), at, (radius, radius * rng.uniform(0.8, 1.3)))
        paint(image, 0.17, coverage(np.abs(tube - 0.004) - 0.004, 2 / size) * lung)
        paint(image, 0.01, coverage(tube, 2 / size) * lung)


def _nodules(image: Array, rng: np.random.Generator, lung: Array, room: Array) -> None:
    """Nodules, solid or of ground glass."""
    size = len(image)
    inside = np.argwhere(room < -0.06)
    for _ in range(rng.poisson(1.5) if len(inside) else 0):
        at = (inside[rng.integers(len(inside))] + 0.5) * 2 / size - 1
        radius = rng.uniform(0.015, 0.05)
        nodule = ellipsoid(grid(size, size), at, (radius, radius * rng.uniform(0.75, 1.3)), rng.uniform(0, 3))
        nodule += 0.12 * radius * smooth_field(rng, (size, size), 0.02)
        paint(image, rng.choice([0.2, 0.205, 0.11]), coverage(nodule, 0.012) * lung)


def _branch(cover: Array, rng: np.random.Generator, start: Array, angle: float, side: int, radius: float) -> None:
    """A vessel that bends, thins and forks, from ``start`` outwards; ``angle`` from the horizontal."""
    while radius > 0.0035:
        length = rng.uniform(2.2, 4.2) * radius + 0.02
        end = start + length * np.array([np.sin(angle), side * np.cos(angle)])
        if np.abs(end).max() > 0.9:
            return
        stroke(cover, start, end, (radius, 0.92 * radius))
        if rng.random() < 0.5:
            _branch(
                cover,
                rng,
                end,
                angle + rng.choice([-1, 1]) * rng.uniform(0.4, 0.95),
                side,
                radius * rng.uniform(0.55, 0.8),
            )
            radius *= 0.86
        start, angle, radius = end, angle + rng.normal(0, 0.18), 0.94 * radius

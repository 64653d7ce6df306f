"""Head: seeded volumes of magnetic susceptibility in ppm, inside a brain mask, zero outside.

Axes are (left-right, back-front, bottom-top); B0 runs along the last. Cortex around white matter, ventricles, deep
nuclei, veins, now and then a bleed or a calcification. Means of the nuclei in ppm, relative to fluid, after Li et al.,
Human Brain Mapping 35, 2014; Deistung et al., NeuroImage 65, 2013; Langkammer et al., NeuroImage 62, 2012. Venous blood
after Haacke et al., Journal of Magnetic Resonance Imaging 32, 2010.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tasks.phantoms.shapes import Array, Numbers, Spots, coverage, ellipsoid, grid, paint, smooth_field, stroke

FLUID, GREY, WHITE, CALLOSUM, VEIN = 0.0, 0.02, -0.03, -0.045, 0.32
# Nucleus -> (ppm, centre, radii, turn); mirrored from the right (positive) side
NUCLEI: dict[str, tuple[float, Sequence[float], Sequence[float], float]] = {
    "thalamus": (0.02, (0.11, -0.1, 0.05), (0.085, 0.14, 0.09), 0.35),
    "putamen": (0.075, (0.27, 0.06, 0.03), (0.055, 0.16, 0.1), 0.2),
    "globus pallidus": (0.15, (0.205, 0.02, 0.0), (0.038, 0.095, 0.065), 0.3),
    "caudate": (0.065, (0.125, 0.2, 0.12), (0.05, 0.1, 0.12), 0.25),
    "red nucleus": (0.11, (0.055, -0.12, -0.16), (0.034, 0.04, 0.045), 0.0),
    "substantia nigra": (0.14, (0.1, -0.05, -0.2), (0.026, 0.07, 0.03), 0.7),
    "dentate nucleus": (0.12, (0.13, -0.46, -0.5), (0.05, 0.075, 0.05), -0.4),
}
CORTEX, SULCUS = 0.05, 0.01  # thickness and half width, in units of the grid
TEXTURE, GRAIN = 0.006, 0.013  # ppm, and correlation length over the side


def head(seed: int, index: int, size: int = 96) -> tuple[Array, NDArray[np.bool_]]:
    """Volume ``index`` of ``seed``: susceptibility in ppm and brain mask, each (size, size, size)."""
    rng = np.random.default_rng([seed, index])
    shape, pixel = (size, size, size), 2 / size
    scale = rng.uniform(0.94, 1.06, 3)
    points = [axis / s + 0.016 * smooth_field(rng, shape, 0.15) for axis, s in zip(grid(*shape), scale, strict=True)]
    x, _, z = points
    spots = Spots(points)

    cerebrum = ellipsoid(points, (0, 0, 0.12), (0.68, 0.84, 0.62))
    base = ellipsoid(points, (0, -0.42, -0.45), (0.46, 0.34, 0.25))
    stem = ellipsoid(points, (0, -0.14, -0.4), (0.14, 0.13, 0.36))
    hull = np.minimum(np.minimum(cerebrum, base), stem)
    mask = hull < 0

    chi = np.zeros(shape)
    surface = _folded(rng, points, -hull, np.minimum(cerebrum, base))
    paint(chi, GREY, coverage(-surface, pixel))
    paint(chi, WHITE * rng.uniform(0.8, 1.2), coverage(CORTEX - surface, pixel))
    paint(chi, WHITE, coverage(stem, 2 * pixel))
    callosum = np.abs(ellipsoid(points, (0, 0.02, 0.06), (0.3, 0.33, 0.2))) - 0.028
    paint(chi, CALLOSUM, coverage(np.maximum(np.maximum(callosum, np.abs(x) - 0.22), 0.1 - z), pixel))
    _ventricles(chi, rng, spots)
    _nuclei(chi, rng, spots)
    chi *= 1 + 0.15 * smooth_field(rng, shape, 0.05)
    chi += 0.006 * smooth_field(rng, shape, 0.12) + TEXTURE * smooth_field(rng, shape, GRAIN)
    paint(chi, VEIN * rng.uniform(0.85, 1.15), _veins(rng, size, scale))
    for _ in range(rng.poisson(0.7)):  # a bleed is paramagnetic, a calcification diamagnetic
        at = rng.uniform((-0.4, -0.5, -0.1), (0.4, 0.5, 0.5))
        radii = rng.uniform(0.015, 0.04, 3)
        spots.paint(chi, rng.choice([0.5, 0.3, -0.25]), at, radii, width=1.5 * pixel)
    return chi * mask, mask


def _folded(rng: np.random.Generator, points: list[Array], depth: Array, gyrated: Array) -> Array:
    """Distance into the brain from its surface, its sulci (zero lines of a random field) and the midline fissure."""
    shape, (x, y, z) = depth.shape, points
    field = smooth_field(rng, shape, 0.028)
    slope = np.sqrt(sum(g**2 for g in np.gradient(field, 2 / shape[0])))
    across = np.abs(field) / np.maximum(slope, 1e-6)
    reach = np.maximum(0.13 + 0.05 * smooth_field(rng, shape, 0.07), 0.02)
    sulci = np.hypot(across, np.maximum(0, -gyrated - reach))
    fissure = np.hypot(x, np.maximum(0, 0.42 - np.sqrt(y**2 + (z - 0.02) ** 2)))
    fissure = np.where(z > -0.15, fissure, 1.0)
    return np.minimum(depth, np.minimum(sulci, fissure) - SULCUS)


def _ventricles(chi: Array, rng: np.random.Generator, spots: Spots) -> None:
    width = 2 / len(chi)
    age = rng.uniform(0.8, 1.5)
    parts: list[tuple[Sequence[float], Sequence[float], float]] = [((0, -0.05, 0.0), (0.016 * age, 0.13, 0.08), 0.0)]
    for side in (-1, 1):
        parts += [
            ((side * 0.07, 0.2, 0.13), (0.03 * age, 0.15, 0.07), side * 0.25),
            ((side * 0.09, 0.0, 0.17), (0.035 * age, 0.2, 0.05), 0.0),
            ((side * 0.17, -0.3, 0.08), (0.045 * age, 0.16, 0.09), side * -0.45),
        ]
    for centre, radii, turn in parts:
        spots.paint(chi, FLUID, centre, radii, turn, width=width)


def _nuclei(chi: Array, rng: np.random.Generator, spots: Spots) -> None:
    iron = rng.uniform(0.75, 1.25)  # grows with age
    for ppm, centre, radii, turn in NUCLEI.values():
        value = ppm * iron * rng.uniform(0.88, 1.12)
        for side in (-1, 1):
            at = np.array([side * centre[0], *centre[1:]]) + rng.normal(0, 0.008, 3)
            size = np.array(radii) * rng.uniform(1.0, 1.3, 3)
            spots.paint(chi, value * rng.uniform(0.96, 1.04), at, size, -side * turn, width=2.5 / len(chi))


def _veins(rng: np.random.Generator, size: int, scale: Array) -> Array:
    """Coverage by the internal cerebral veins, their tributaries, the sinuses and cortical veins."""
    cover = np.zeros((size, size, size))

    def run(start: Numbers, heading: Numbers, length: float, radius: float, bend: float = 0.25) -> Array:
        at, along = np.array(start, dtype=float), np.array(heading, dtype=float)
        step = 0.05
        for _ in range(max(1, round(length / step))):
            along = along / np.linalg.norm(along) + bend * rng.standard_normal(3)
            along /= np.linalg.norm(along)
            end = at + step * along
            stroke(cover, at * scale, end * scale, (radius, 0.95 * radius))
            at, radius = end, max(0.95 * radius, 0.006)
        return at

    for side in (-1, 1):
        run((side * 0.025, 0.12, 0.1), (0, -1, -0.1), 0.45, 0.014, 0.06)  # internal cerebral vein
        for _ in range(rng.integers(5, 9)):  # septal, thalamostriate and medullary veins
            start = (side * 0.04, rng.uniform(-0.25, 0.25), rng.uniform(0.05, 0.2))
            run(
                start,
                (side, rng.normal(0, 0.6), rng.normal(0.3, 0.5)),
                rng.uniform(0.15, 0.4),
                rng.uniform(0.008, 0.013),
            )
        run((side * 0.08, -0.2, -0.12), (side, -0.6, 0.1), 0.3, 0.013, 0.15)  # basal vein
        for _ in range(rng.integers(9, 15)):  # cortical veins dive from the surface
            turn, rise = rng.uniform(-np.pi / 2, np.pi / 2), rng.uniform(-0.2, 1.2)
            normal = np.array([side * np.cos(turn) * np.cos(rise), np.sin(turn) * np.cos(rise), np.sin(rise)])
            surface = normal * (0.66, 0.82, 0.6) + (0, 0, 0.12)
            run(surface, -normal + 0.5 * rng.standard_normal(3), rng.uniform(0.15, 0.35), rng.uniform(0.009, 0.016))
    run((0, -0.33, 0.06), (0, -1, -0.25), 0.45, 0.02, 0.04)  # straight sinus
    turns = np.linspace(-0.7, 2.6, 25)  # the sagittal sinus, from the back over the top
    arc = np.stack([0 * turns, -0.8 * np.cos(turns), 0.12 + 0.58 * np.sin(turns)], axis=1) * scale
    for a, b in pairwise(arc):
        stroke(cover, a, b, (0.022, 0.022))
    return cover

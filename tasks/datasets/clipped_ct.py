"""Chests as `msd-lung10` stores them, Hounsfield units h clipped to [0, 255]: real slices, and phantoms made alike.

x is the attenuation beyond water in 1/cm,   x = μ_w h / 1000,   as if the patient lay in water.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.contract.task import Images
from tasks.datasets.hounsfield import WATER, hounsfield
from tasks.datasets.msd_lung import WHITE, msd_lung10
from tasks.phantoms.shapes import coarsen

DENSEST = WATER * WHITE / 1000  # 1/cm, the data range
LEFT = 1 / 3  # share of a nodule that is denser than water, at the least; others are no part of the truth
AROUND = 1.6  # radii of a nodule that hold its cover

Array = NDArray[np.float64]


def beyond_water(units: Array) -> Array:
    """Attenuation beyond water in 1/cm, in [0, `DENSEST`], of Hounsfield units."""
    return WATER * np.clip(units, 0, WHITE) / 1000


def clipped_phantoms(chests: Images) -> Images:
    """Phantoms {"image": attenuation, "cover", "nodules"} of `tasks.phantoms.lesions`, clipped, with what is left."""

    def load(image: str) -> dict[str, Array]:
        made = chests.load(image)
        clipped = beyond_water(hounsfield(made["image"]))
        kept = np.array([is_left(one, clipped, made["cover"]) for one in made["nodules"]])
        nodules = np.where(kept[:, None], made["nodules"], 0)
        near = np.any([within(one, clipped.shape, AROUND) for one in nodules], 0)
        return {"image": clipped, "cover": made["cover"] * near, "nodules": nodules}

    return replace(chests, load=load)


def is_left(nodule: Array, clipped: Array, cover: Array) -> bool:
    """Whether a nodule (row, column, radius in units of the side) keeps a third of its pixels."""
    inside = within(nodule, clipped.shape, 1) & (cover > 0.5)
    return bool(inside.any() and (clipped[inside] > 0).mean() >= LEFT)


def within(nodule: Array, shape: tuple[int, ...], radii: float) -> NDArray[np.bool_]:
    """The pixels within so many ``radii`` of a nodule's centre, and a pixel more; none for a radius of 0."""
    row, column, radius = nodule
    rows, columns = np.ogrid[tuple(slice(n) for n in shape)]
    distance = np.hypot((rows + 0.5) / shape[0] - row, (columns + 0.5) / shape[1] - column)
    return (distance <= radii * radius + 1 / shape[0]) & (radius > 0)


def real_chests(size: int, most: int) -> Images:
    """The slices of `msd-lung10` on a grid (size, size) that divides theirs, with up to ``most`` nodules as phantoms
    have them: components of the mask, the largest first, with centroid and the radius of a disc of their area."""
    slices = msd_lung10()

    def load(image: str) -> dict[str, Any]:
        stored = slices.load(image)
        factor = len(stored["image"]) // size
        nodules = np.zeros((most, 3))
        found = discs(stored["cover"] > 0)[:most]
        nodules[: len(found)] = found
        cover = coarsen(stored["cover"], factor)
        return {"image": coarsen(beyond_water(stored["image"]), factor), "cover": cover, "nodules": nodules}

    return replace(slices, load=load)


def discs(mask: NDArray[np.bool_]) -> Array:
    """Row, column and radius (n, 3), in units of the side, of discs with the centroids and areas of the components of a
    square mask; the largest first."""
    from scipy.ndimage import center_of_mass, label

    labels, count = label(mask, np.ones((3, 3)))
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    largest = np.argsort(-areas, kind="stable")
    centres = np.array(center_of_mass(mask, labels, largest + 1)).reshape(-1, 2) + 0.5
    return np.column_stack([centres, np.sqrt(areas[largest] / np.pi)]) / len(mask)

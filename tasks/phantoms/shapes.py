"""Building blocks of the phantoms: soft shapes on a grid over [-1, 1], smooth random fields, block averages.

A distance is negative inside a shape and measured in units of the grid. Coverage, in [0, 1], is how much of a pixel a
shape fills: painting by coverage gives partial volume.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Numbers = Sequence[float] | Array


def grid(*shape: int) -> list[Array]:
    """Coordinates of the pixel centres along each axis of [-1, 1], ready to broadcast against one another."""
    return list(np.meshgrid(*((np.arange(n) + 0.5) * 2 / n - 1 for n in shape), indexing="ij", sparse=True))


def ellipsoid(coordinates: Sequence[Array], centre: Numbers, radii: Numbers, angle: float = 0.0) -> Array:
    """Distance from an ellipse or ellipsoid, to first order; turned by ``angle`` (radians) in its first two axes."""
    shifted = [x - c for x, c in zip(coordinates, centre, strict=True)]
    cos, sin = np.cos(angle), np.sin(angle)
    shifted[:2] = [cos * shifted[0] + sin * shifted[1], cos * shifted[1] - sin * shifted[0]]
    value = np.sqrt(sum((x / r) ** 2 for x, r in zip(shifted, radii, strict=True)))
    slope = np.sqrt(sum((x / r**2) ** 2 for x, r in zip(shifted, radii, strict=True)))
    return value * (value - 1) / np.maximum(slope, 1e-9)


def coverage(distance: Array, width: float) -> Array:
    """Share of a pixel of size ``width`` inside a shape, from the distance at its centre."""
    return np.clip(0.5 - distance / width, 0, 1)


def paint(image: Array, value: Array | float, cover: Array) -> None:
    """Blend ``value`` into the image where a shape covers it, in place."""
    image += cover * (value - image)


class Spots:
    """Paints small ellipsoids with the bits of `paint`, in the time of the box that they fill.

    ``points``: the coordinates of the pixels, one array a dimension, which a smooth field may have warped.
    """

    def __init__(self, points: Sequence[Array]) -> None:
        self.points = points
        others = [tuple(k for k in range(len(points)) if k != axis) for axis in range(len(points))]
        self.low = [x.min(other) for x, other in zip(points, others, strict=True)]
        self.high = [x.max(other) for x, other in zip(points, others, strict=True)]

    def paint(
        self, image: Array, value: float, centre: Numbers, radii: Numbers, angle: float = 0.0, *, width: float
    ) -> None:
        """`paint` ``value`` where the `coverage` by an `ellipsoid`, at pixels of size ``width``, is not zero."""
        # At a distance of width / 2 the coverage ends: a distance is at least (value - 1) times the smallest radius.
        reach = np.array(radii) * (1 + 0.51 * width / min(radii))
        cos, sin = np.cos(angle), np.sin(angle)
        reach[:2] = np.hypot(cos * reach[0], sin * reach[1]), np.hypot(sin * reach[0], cos * reach[1])
        inside = [
            np.flatnonzero((high >= c - r) & (low <= c + r))
            for low, high, c, r in zip(self.low, self.high, centre, reach, strict=True)
        ]
        if all(len(found) for found in inside):
            box = tuple(slice(found[0], found[-1] + 1) for found in inside)
            distance = ellipsoid([x[box] for x in self.points], centre, radii, angle)
            paint(image[box], value, coverage(distance, width))


def smooth_field(rng: np.random.Generator, shape: Sequence[int], scale: float) -> Array:
    """A periodic Gaussian field of mean zero and unit variance: white noise under a Gaussian of width ``scale``.

    ``scale`` is relative to the side. The noise lives on a lattice as fine as the scale needs, so this is quick, and
    one state of ``rng`` gives the same field on every grid.
    """
    nodes = math.ceil(1.25 / scale)
    field = rng.standard_normal([nodes] * len(shape))
    for n in shape:  # each pass smooths the leading axis and moves it to the end
        offset = (np.arange(n) + 0.5)[None] / n - np.arange(nodes)[:, None] / nodes
        kernel = np.exp(-0.5 * ((offset + 0.5) % 1 - 0.5) ** 2 / scale**2)
        field = np.tensordot(field, kernel, (0, 0))
    field -= field.mean()
    return field / field.std()


def stroke(cover: Array, start: Array, end: Array, radii: tuple[float, float]) -> None:
    """Add a tapered tube from ``start`` to ``end``, of ``radii`` at its ends, to a coverage on the grid, in place.

    A tube thinner than a pixel covers a share of it.
    """
    pixel = np.array([2 / n for n in cover.shape])
    margin = max(radii) + pixel.max()
    low = np.floor((np.minimum(start, end) - margin + 1) / pixel).astype(int)
    high = np.ceil((np.maximum(start, end) + margin + 1) / pixel).astype(int)
    box = tuple(slice(max(0, a), min(n, b)) for a, b, n in zip(low, high, cover.shape, strict=True))
    if any(part.start >= part.stop for part in box):
        return
    axes = [(np.arange(part.start, part.stop) + 0.5) * size - 1 for part, size in zip(box, pixel, strict=True)]
    points = np.meshgrid(*axes, indexing="ij", sparse=True)
    along = end - start
    t = sum((x - a) * d for x, a, d in zip(points, start, along, strict=True)) / max(along @ along, 1e-12)
    t = np.clip(t, 0, 1)
    distance = np.sqrt(sum((x - a - t * d) ** 2 for x, a, d in zip(points, start, along, strict=True)))
    radius = radii[0] + t * (radii[1] - radii[0])
    width = pixel.max()
    # The share of a pixel inside a band as wide as the tube, for each direction across it.
    inside = np.clip(
        (np.minimum(distance + width / 2, radius) - np.maximum(distance - width / 2, -radius)) / width, 0, 1
    )
    inside *= np.minimum(1, 2 * radius / width) ** (cover.ndim - 2)
    np.maximum(cover[box], inside, out=cover[box])


def coarsen(image: NDArray, factor: int = 2, dims: int | None = None) -> NDArray:
    """Block average over the last ``dims`` axes (all by default), each a multiple of ``factor``."""
    dims = image.ndim if dims is None else dims
    lead, spatial = image.shape[: image.ndim - dims], image.shape[image.ndim - dims :]
    if any(n % factor for n in spatial):
        raise ValueError(f"an image of shape {image.shape} cannot be averaged in blocks of {factor}")
    blocks = image.reshape(*lead, *(size for n in spatial for size in (n // factor, factor)))
    return blocks.mean(tuple(len(lead) + 2 * axis + 1 for axis in range(dims)))

"""Dead leaves: random images with the statistics of photographs, made of shapes that hide one another.

Lee, Mumford and Huang, Occlusion Models for Natural Images, IJCV 41(1), 2001: leaves of random position, grey value
and size, with a density of sizes proportional to r^-3, fall until they cover the plane. Front to back, a leaf covers
the pixels that are still bare. Each leaf also carries a smooth shading and a texture, without which total variation is
unbeatable.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

OVERSAMPLING = 2  # leaves are drawn on a finer grid, so that edges have partial volume
TEXTURES = 6  # drawn once an image and shared by its leaves
LEAVES = 4000  # a bound; a few hundred cover an image
SMALLEST = (3.0, 14.0)  # radius in pixels, drawn for each image: from rubble to a few large things
ROUND, SQUARE = 2, 10  # exponents of a superellipse: an ellipse, almost a rectangle


def dead_leaves(seed: int, index: int, size: int = 96) -> NDArray[np.float64]:
    """Image ``index`` of ``seed``: (size, size), in [0, 1]."""
    rng = np.random.default_rng([seed, index])
    fine = OVERSAMPLING * size
    image = np.zeros((fine, fine))
    bare = np.ones((fine, fine), dtype=bool)
    textures = [_texture(rng, fine) for _ in range(TEXTURES)]
    smallest = OVERSAMPLING * np.exp(rng.uniform(*np.log(SMALLEST)))
    largest = 0.6 * fine
    low, high = np.sort(rng.uniform(0, 1, 2))
    low, high = min(low, 0.3), max(high, 0.7)
    for _ in range(LEAVES):
        radius = (rng.uniform(largest**-2, smallest**-2)) ** -0.5  # inverse of the distribution function of r^-3
        centre = rng.uniform(-radius, fine + radius, 2)
        rows, columns = (slice(max(0, int(c - 1.5 * radius)), min(fine, int(c + 1.5 * radius) + 1)) for c in centre)
        y, x = np.ogrid[rows, columns]
        angle, aspect = rng.uniform(0, np.pi), rng.uniform(0.4, 1)
        u = ((x - centre[1]) * np.cos(angle) + (y - centre[0]) * np.sin(angle)) / radius
        v = ((y - centre[0]) * np.cos(angle) - (x - centre[1]) * np.sin(angle)) / (aspect * radius)
        exponent = ROUND if rng.random() < 0.6 else SQUARE
        leaf = (u**exponent + v**exponent < 1) & bare[rows, columns]
        grey, shading, contrast = rng.uniform(low, high), rng.normal(0, 0.08), rng.exponential(0.04)
        texture = textures[rng.integers(TEXTURES)][rows, columns]
        image[rows, columns][leaf] = (grey + shading * u + contrast * texture)[leaf]
        bare[rows, columns] &= ~leaf
        if not bare.any():
            break
    image = image.reshape(size, OVERSAMPLING, size, OVERSAMPLING).mean((1, 3))
    return np.clip(gaussian_filter(image, rng.uniform(0, 0.6)), 0, 1)


def _texture(rng: np.random.Generator, fine: int) -> NDArray[np.float64]:
    """A Gaussian field of unit variance, of a random grain that may be longer along one axis."""
    grain = OVERSAMPLING * np.exp(rng.uniform(np.log(0.5), np.log(3), 2))
    field = gaussian_filter(rng.standard_normal((fine, fine)), grain, mode="wrap")
    return field / field.std()

"""Variants of a training image: mirrored and turned, moved and zoomed, brighter or darker.

Along an axis of n pixels x moves and zooms to  x'(i) = Σ_j k(p_i − j) x(j),   p_i = c + (i − c − shift) / zoom,
c = (n − 1) / 2, with the cubic kernel k of Keys, which reproduces quadratics. Beyond its borders x is mirrored.

R. Keys, Cubic convolution interpolation for digital image processing, IEEE TASSP 29(6), 1981.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

Array = NDArray[Any]
Change = Callable[[Array], Array]  # of an array (..., n, m, ...), to one of its shape

WHOLE_PIXELS = 0.5  # share of the variants that are not interpolated, which would blur the finest detail of all


def symmetry(rng: np.random.Generator, mirrored: Sequence[int], turned: tuple[int, int] | None = None) -> Change:
    """Each axis of ``mirrored`` reversed or not, and quarter turns of the square plane ``turned``, as ``rng`` draws."""
    flipped = tuple(axis for axis in mirrored if rng.random() < 0.5)
    quarters = int(rng.integers(4)) if turned else 0

    def change(image: Array) -> Array:
        if turned and quarters:
            image = np.rot90(image, quarters, turned)
        return np.ascontiguousarray(np.flip(image, flipped))

    return change


def placement(rng: np.random.Generator, shape: Sequence[int], shift: float, zoom: float) -> Change:
    """Images (n, m) of ``shape`` moved by up to ``shift`` of each side, and zoomed by 1 / ``zoom`` to ``zoom``.

    Each axis has a shift and a zoom of its own. A share `WHOLE_PIXELS` is moved by whole pixels and not zoomed.
    """
    whole = rng.random() < WHOLE_PIXELS
    matrices = []
    for n in shape:
        moved, zoomed = rng.uniform(-shift, shift) * n, math.exp(rng.uniform(-1, 1) * math.log(zoom))
        matrices.append(resampling(n, round(moved), 1.0) if whole else resampling(n, moved, zoomed))
    rows, columns = matrices

    def change(image: Array) -> Array:
        real = image.real.dtype
        return np.ascontiguousarray((columns.astype(real) @ (rows.astype(real) @ image).T).T)

    return change


def gain(rng: np.random.Generator, most: float) -> float:
    """A factor from 1 / ``most`` to ``most``, uniform in its logarithm."""
    return math.exp(rng.uniform(-1, 1) * math.log(most))


def resampling(n: int, shift: float, zoom: float) -> scipy.sparse.csr_array:
    """The matrix (n, n) that moves an axis by ``shift`` pixels and zooms it about its centre."""
    centre = (n - 1) / 2
    position = centre + (np.arange(n) - centre - shift) / zoom
    pixels = np.floor(position).astype(int)[:, None] + np.arange(-1, 3)
    weights = keys(position[:, None] - pixels)
    folded = pixels % (2 * n)
    folded = np.where(folded < n, folded, 2 * n - 1 - folded)
    starts = np.arange(0, 4 * n + 1, 4)
    return scipy.sparse.csr_array((weights.ravel(), folded.ravel(), starts), shape=(n, n))


def keys(t: Array) -> Array:
    """The cubic kernel with a = −1/2, zero for |t| ≥ 2."""
    t = np.abs(t)
    near, far = (1.5 * t - 2.5) * t**2 + 1, ((2.5 - 0.5 * t) * t - 4) * t + 2
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))

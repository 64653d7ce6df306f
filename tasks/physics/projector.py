"""Parallel-beam geometry and its system matrix: line integrals by Joseph's method.

The ray of view ``θ`` and detector coordinate ``s`` is ``{(p, q): p cos θ + q sin θ = s}``, where ``p`` grows with the
columns and ``q`` against the rows of the image, both from its centre. It is followed row by row where it is steep and
column by column where it is flat; each step adds the linear interpolation between the two nearest pixels times the
length of the step. The image is zero outside its pixels.

P. M. Joseph, An Improved Algorithm for Reprojecting Rays through Pixel Images, IEEE TMI 1(3), 1982. ASTRA's
`linear` projector has the same weights.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.sparse

from bench.data.cache import cached
from tasks.physics.sparse_matrix import SparseMatrix

VERSION = 1  # of the weights: part of the name under which a matrix is kept


@dataclass(frozen=True)
class Geometry:
    """``len(angles)`` views (radians) of ``bins`` detector bins ``spacing`` apart, of ``size`` x ``size`` pixels.

    ``spacing`` and ``pixel`` (the side of a pixel) are lengths in one unit, cm say; line integrals then are image
    values times cm.
    """

    size: int
    angles: tuple[float, ...]
    bins: int
    spacing: float = 1.0
    pixel: float = 1.0

    @classmethod
    def parallel(
        cls,
        size: int,
        views: int,
        *,
        arc: float = math.pi,  # radians
        bins: int | None = None,
        spacing: float | None = None,
        pixel: float = 1.0,
    ) -> Geometry:
        """``views`` equally spaced over [0, ``arc``); by default bins as wide as a pixel that cover the diagonal."""
        spacing = pixel if spacing is None else spacing
        bins = math.ceil(math.sqrt(2) * size * pixel / spacing) if bins is None else bins
        return cls(size, tuple(arc * i / views for i in range(views)), bins, spacing, pixel)

    def __post_init__(self) -> None:
        object.__setattr__(self, "angles", tuple(float(angle) for angle in self.angles))
        if self.size < 1 or self.bins < 1 or not self.angles or self.spacing <= 0 or self.pixel <= 0:
            raise ValueError(f"size, bins, angles, spacing and pixel must be positive and not empty, got {self}")

    @property
    def key(self) -> str:
        return hashlib.sha256(f"{VERSION} {self!r}".encode()).hexdigest()[:24]

    def detector(self) -> np.ndarray:
        """The coordinates of the bins' centres, in pixels."""
        return (np.arange(self.bins) - (self.bins - 1) / 2) * (self.spacing / self.pixel)


@lru_cache(maxsize=8)
def system_matrix(geometry: Geometry) -> SparseMatrix:
    """The matrix (views * bins, size * size) of ``geometry``, from memory, from the store's cache or computed."""

    def make() -> dict[str, np.ndarray]:
        matrix = joseph(geometry)
        norm = SparseMatrix(matrix).norm
        return {"data": matrix.data, "indices": matrix.indices, "indptr": matrix.indptr, "norm": np.array(norm)}

    stored = cached("ct", geometry.key, make)
    shape = (len(geometry.angles) * geometry.bins, geometry.size**2)
    matrix = scipy.sparse.csr_array((stored["data"], stored["indices"], stored["indptr"]), shape=shape)
    return SparseMatrix(matrix, float(stored["norm"]))


def joseph(geometry: Geometry) -> scipy.sparse.csr_array:
    """The matrix of ``geometry`` in float64 with int32 indices, rows ordered by view, then bin."""
    size = geometry.size
    centre = (size - 1) / 2
    steps = np.arange(size)
    s = geometry.detector()[:, None]
    data, indices, counts = [], [], []
    for angle in geometry.angles:
        cos, sin = math.cos(angle), math.sin(angle)
        if abs(cos) >= abs(sin):  # steep: one step per row, between two columns
            position = (s - (centre - steps) * sin) / cos + centre
            length, stride_step, stride_between = geometry.pixel / abs(cos), size, 1
        else:  # flat: one step per column, between two rows
            position = centre - (s - (steps - centre) * cos) / sin
            length, stride_step, stride_between = geometry.pixel / abs(sin), 1, size
        below = np.floor(position)
        fraction = position - below
        pixels = below.astype(np.int32)[..., None] + np.array([0, 1], dtype=np.int32)  # (bins, steps, 2)
        weights = np.stack([1 - fraction, fraction], axis=-1) * length
        inside = (pixels >= 0) & (pixels < size) & (weights > 0)
        flat = pixels * np.int32(stride_between) + (steps * stride_step).astype(np.int32)[:, None]
        data.append(weights[inside])
        indices.append(flat[inside])
        counts.append(inside.sum(axis=(1, 2)))
    indptr = np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int32)
    shape = (len(geometry.angles) * geometry.bins, size**2)
    return scipy.sparse.csr_array((np.concatenate(data), np.concatenate(indices), indptr), shape=shape)

"""Parallel-beam computed tomography: ``y = A x``, ``y_i = ∫ x along ray i``.

x: attenuation per unit of length (B, C, size, size); y: post-log line integrals, attenuation times length
(B, C, views, bins). ``A`` is a stored sparse matrix (`tasks.physics.projector`), ``A_adjoint`` its exact transpose.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from deepinv.physics import LinearPhysics, ZeroNoise
from deepinv.physics.noise import NoiseModel
from torch import Tensor

from bench.contract.operators import Completion, Rays
from tasks.physics.fbp import angular_weights, backproject, filter_views
from tasks.physics.projector import Geometry, system_matrix


class CT(LinearPhysics):
    """Any angles, any detector, any square image; on every device and in float32 or float64 as ``x`` is.

    Cheap to make: the matrix is computed once per geometry and shared.
    """

    def __init__(
        self,
        geometry: Geometry,
        noise_model: NoiseModel | None = None,
        device: torch.device | str = "cpu",
    ):
        super().__init__(
            img_size=(1, geometry.size, geometry.size), noise_model=noise_model or ZeroNoise(), device=device
        )
        self.geometry = geometry
        self.matrix = system_matrix(geometry)

    @property
    def operator_norm(self) -> float:
        return self.matrix.norm

    def A(self, x: Tensor) -> Tensor:
        size = self.geometry.size
        if x.ndim != 4 or x.shape[-2:] != (size, size):
            raise ValueError(f"expected an image (B, C, {size}, {size}), got {tuple(x.shape)}")
        return self.matrix(x, (*x.shape[:2], len(self.geometry.angles), self.geometry.bins))

    def A_adjoint(self, y: Tensor) -> Tensor:
        views, bins = len(self.geometry.angles), self.geometry.bins
        if y.ndim != 4 or y.shape[-2:] != (views, bins):
            raise ValueError(f"expected line integrals (B, C, {views}, {bins}), got {tuple(y.shape)}")
        return self.matrix.adjoint(y, (*y.shape[:2], self.geometry.size, self.geometry.size))

    def rays(self, views: slice, bins: slice) -> Rays:
        """A of some views and bins alone, for row-action methods."""
        geometry = self.geometry
        index = np.arange(len(geometry.angles) * geometry.bins).reshape(-1, geometry.bins)[views, bins]
        matrix = self.matrix.rows(index.ravel())

        def A(x: Tensor) -> Tensor:
            return matrix(x, (*x.shape[:2], *index.shape))

        def A_adjoint(y: Tensor) -> Tensor:
            return matrix.adjoint(y, (*y.shape[:2], geometry.size, geometry.size))

        return Rays(A, A_adjoint, views, bins)

    def completion(self) -> Completion:
        """Half a turn: views go on at their distance, or others lie between them. Itself where views are irregular."""
        angles = self.geometry.angles
        step = (angles[-1] - angles[0]) / max(len(angles) - 1, 1)
        if step <= 0 or not np.allclose(np.diff(angles), step):
            return Completion(self, lambda y: y)
        limited = round(math.pi / step) > len(angles)
        count, every = (round(math.pi / step), 1) if limited else (2 * len(angles), 2)
        whole = tuple(angles[0] + number * step / every for number in range(count))

        def embed(y: Tensor) -> Tensor:
            scan = y.new_zeros(*y.shape[:-2], count, y.shape[-1])
            scan[..., : every * len(angles) : every, :] = y
            return scan

        return Completion(CT(replace(self.geometry, angles=whole)), embed)

    def filter(self, y: Tensor, window: str = "ram-lak", cutoff: float = 1.0) -> Tensor:
        """Ramp-filtered ``y``, scaled so that ``A_adjoint(filter(y))`` is a filtered backprojection."""
        weights = torch.as_tensor(angular_weights(self.geometry.angles)).to(y)
        # A column of A sums to about pixel^2 / spacing per view.
        scale = weights[:, None] * (self.geometry.spacing / self.geometry.pixel**2)
        return scale * filter_views(y, self.geometry, window, cutoff)

    def direct(self, y: Tensor, window: str = "ram-lak", cutoff: float = 1.0) -> Tensor:
        """Filtered backprojection (`tasks.physics.fbp`), not clamped: it may be negative.

        ``window`` is one of `tasks.physics.fbp.WINDOWS`; ``cutoff`` in (0, 1] is where it ends, as a fraction of the
        detector's Nyquist frequency.
        """
        return backproject(filter_views(y, self.geometry, window, cutoff), self.geometry)

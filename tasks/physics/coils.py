"""Sensitivities of receive coils for multi-coil MRI: loops in a ring around the head."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def coil_maps(shape: tuple[int, int], coils: int, rng: np.random.Generator) -> NDArray[np.complex128]:
    """Sensitivities of ``coils`` loops around the head: complex (coils, H, W), with a root sum of squares of one.

    The maps are smooth functions of position alone: one state of ``rng`` gives the same coils on every grid.
    """
    y, x = np.meshgrid(*((np.arange(n) + 0.5) * 2 / n - 1 for n in shape), indexing="ij", sparse=True)
    turn = rng.uniform(0, 2 * np.pi)
    maps = []
    for coil in range(coils):
        angle = turn + 2 * np.pi * coil / coils + rng.normal(0, 0.1)
        reach, radius = rng.uniform(0.8, 1.1), rng.uniform(1.45, 1.6)  # beyond the corners of the image
        dy, dx = y + radius * np.cos(angle), x - radius * np.sin(angle)
        # The field of a loop falls off with the cube of the distance beyond its own size.
        magnitude = (1 + (dy**2 + dx**2) / reach**2) ** -1.5
        ahead, aside = dy * np.cos(angle) - dx * np.sin(angle), dy * np.sin(angle) + dx * np.cos(angle)
        a, b, c = rng.normal(0, (np.pi, 0.8, 0.8))
        maps.append(magnitude * np.exp(1j * (a + b * y + c * x + 0.6 * np.arctan2(aside, ahead))))
    stack = np.stack(maps)
    return stack / np.sqrt((np.abs(stack) ** 2).sum(0))

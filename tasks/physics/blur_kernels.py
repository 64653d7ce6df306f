"""Blur kernels (size, size), float64, without negative values, of sum 1, centred on pixel (size // 2, size // 2)."""

from __future__ import annotations

from math import cos, sin

import numpy as np
import torch
from torch import Tensor

POINTS = 2000  # samples along a trajectory


def gaussian_kernel(sigma: float, size: int) -> Tensor:
    """A Gaussian of standard deviation ``sigma`` pixels, sampled at the pixels' centres."""
    offset = torch.arange(size, dtype=torch.float64) - size // 2
    profile = torch.exp(-(offset**2) / (2 * sigma**2))
    kernel = profile[:, None] * profile[None, :]
    return kernel / kernel.sum()


def oblique_gaussian_kernel(sigmas: tuple[float, float], angle: float, size: int) -> Tensor:
    """A Gaussian of two standard deviations in pixels, along an axis at ``angle`` to the rows (radians) and across."""
    offset = torch.arange(size, dtype=torch.float64) - size // 2
    rows, columns = offset[:, None], offset[None, :]
    along, across = columns * cos(angle) + rows * sin(angle), rows * cos(angle) - columns * sin(angle)
    kernel = torch.exp(-((along / sigmas[0]) ** 2 + (across / sigmas[1]) ** 2) / 2)
    return kernel / kernel.sum()


def random_kernel(
    rng: np.random.Generator, size: int, sigma: tuple[float, float], length: tuple[float, float]
) -> Tensor:
    """As often an oblique Gaussian as the path of a camera, their widths and its length uniform in a range of pixels.

    The centre of mass is the centre of the centre pixel, so that blur by it moves nothing.
    """
    if rng.random() < 0.5:
        first, second = rng.uniform(*sigma, size=2)
        return oblique_gaussian_kernel((first, second), rng.uniform(0, np.pi), size)
    return motion_kernel(int(rng.integers(2**31)), size, rng.uniform(*length))


def motion_kernel(seed: int, size: int, length: float, wander: float = 0.15) -> Tensor:
    """The path of a shaking camera during an exposure: a smooth random walk of ``length`` pixels.

    The speed is constant and the heading an integrated random walk, ``wander`` its angular step per root pixel; the
    path is centred on its mean and drawn with bilinear weights. After G. Boracchi and A. Foi, Modeling the Performance
    of Image Restoration from Motion Blur, IEEE TIP 21(8), 2012.
    """
    rng = np.random.default_rng(seed)
    step = length / POINTS
    turn = np.cumsum(rng.standard_normal(POINTS)) * wander * np.sqrt(step)
    heading = rng.uniform(0, 2 * np.pi) + turn
    path = np.cumsum(np.stack([np.sin(heading), np.cos(heading)], axis=1) * step, axis=0)
    path += size // 2 - path.mean(axis=0)
    below = np.floor(path).astype(int)
    if below.min() < 0 or below.max() > size - 2:
        raise ValueError(f"a path of {length} pixels (seed {seed}) leaves a kernel of {size} x {size}")
    fraction = path - below
    kernel = np.zeros((size, size))
    for row in (0, 1):
        for column in (0, 1):
            weight = np.abs(1 - row - fraction[:, 0]) * np.abs(1 - column - fraction[:, 1])
            np.add.at(kernel, (below[:, 0] + row, below[:, 1] + column), weight)
    return torch.from_numpy(kernel / kernel.sum())

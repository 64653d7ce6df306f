"""Sums of ellipses: the modified Shepp-Logan phantom, phantoms of its kind, and random ellipses.

An ellipse is a row (value, half axis along x, half axis along y, x, y, angle) on the square [-1, 1]^2, x to the right
and y upwards, turned counterclockwise by the angle (radians). A phantom is the sum of the values of the ellipses that a
pixel's centre lies in: no partial volume, as in the experiment of J. Adler, O. Öktem, Learned primal-dual
reconstruction, IEEE TMI 2018, whose random ellipses have the law of `random_ellipses` (github.com/adler-j/adler).

The modified Shepp-Logan phantom: P. A. Toft, The Radon Transform, PhD thesis, Technical University of Denmark, 1996.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from bench.contract.task import Images
from tasks.phantoms.shapes import Array
from tasks.phantoms.split import SEEDS

MOST = 100  # rows of a phantom, beyond which none of a Poisson law of mean 50 ever lies; unused ones have the value 0
MEAN_NUMBER, MEAN_VALUE, MEAN_AXIS = 50, 0.4, 0.2
TILT = math.radians(18)
SHEPP_LOGAN = (
    (1.0, 0.69, 0.92, 0.0, 0.0, 0.0),
    (-0.8, 0.6624, 0.874, 0.0, -0.0184, 0.0),
    (-0.2, 0.11, 0.31, 0.22, 0.0, -TILT),
    (-0.2, 0.16, 0.41, -0.22, 0.0, TILT),
    (0.1, 0.21, 0.25, 0.0, 0.35, 0.0),
    (0.1, 0.046, 0.046, 0.0, 0.1, 0.0),
    (0.1, 0.046, 0.046, 0.0, -0.1, 0.0),
    (0.1, 0.046, 0.023, -0.08, -0.605, 0.0),
    (0.1, 0.023, 0.023, 0.0, -0.606, 0.0),
    (0.1, 0.023, 0.046, 0.06, -0.605, 0.0),
)
SKULL = 2  # its first ellipses, which vary together
# Ranges of a head: factors of the half axes of its skull, of the values and half axes in it, steps of places and angles
SKULL_SIZE, VALUE, AXIS, PLACE, ANGLE = (0.94, 1.06), (0.5, 1.5), (0.7, 1.4), 0.08, math.radians(25)

Ellipses = Array  # (MOST, 6)


def shepp_logan(rng: np.random.Generator) -> Ellipses:
    """The modified Shepp-Logan phantom, with values in [0, 1]; nothing in it is random."""
    return padded(np.array(SHEPP_LOGAN))


def random_head(rng: np.random.Generator) -> Ellipses:
    """The modified Shepp-Logan phantom with another skull, and with other values, places and forms of what is in it."""
    rows = np.array(SHEPP_LOGAN)
    inner = rows[SKULL:]
    inner[:, 0] *= rng.uniform(*VALUE, size=len(inner))
    inner[:, 1:3] *= rng.uniform(*AXIS, size=(len(inner), 2))
    inner[:, 3:5] += PLACE * rng.uniform(-1, 1, size=(len(inner), 2))
    inner[:, 5] += ANGLE * rng.uniform(-1, 1, size=len(inner))
    skull = rng.uniform(*SKULL_SIZE, size=2)
    rows[:SKULL, 1:3] *= skull
    rows[:, 3:5] *= skull
    return padded(rows)


def random_ellipses(rng: np.random.Generator) -> Ellipses:
    """Poisson many: values of both signs, exponential half axes, centres and angles anywhere."""
    n = min(MOST, rng.poisson(MEAN_NUMBER))
    value = rng.uniform(-0.5, 0.5, n) * rng.exponential(MEAN_VALUE, n)
    axes = np.maximum(rng.exponential(MEAN_AXIS, (n, 2)), 1e-6)
    return padded(np.column_stack([value, axes, rng.uniform(-1, 1, (n, 2)), rng.uniform(0, 2 * np.pi, n)]))


def padded(rows: Array) -> Ellipses:
    """``rows`` and as many of the value 0 as make all phantoms alike in shape."""
    unused = np.tile([0.0, 1.0, 1.0, 0.0, 0.0, 0.0], (MOST - len(rows), 1))
    return np.concatenate([rows, unused])


def image_of(ellipses: Tensor, size: int) -> Tensor:
    """The phantom (size, size), in the precision and on the device of its ellipses (N, 6).

    The centres of the outermost pixels are at -1 and 1, as in ODL's `ellipsoid_phantom`.
    """
    axis = torch.linspace(-1, 1, size, dtype=ellipses.dtype, device=ellipses.device)
    _, a, b, x, y, angle = ellipses[..., None, None].unbind(1)
    right, up, cos, sin = axis[None, None, :] - x, -axis[None, :, None] - y, angle.cos(), angle.sin()
    along, across = cos / a * right + sin / a * up, cos / b * up - sin / b * right
    inside = along.square_().add_(across.square_()) <= 1
    return (ellipses[:, 0] @ inside.flatten(1).to(ellipses)).reshape(size, size)


def split_of(split: str, count: int, make: Callable[[np.random.Generator], Ellipses]) -> Images:
    """``count`` phantoms of one kind, seeded by the split and their number."""

    def load(name: str) -> dict[str, Ellipses]:
        return {"ellipses": make(np.random.default_rng([SEEDS[split], int(name.rpartition("-")[2])]))}

    kind = make.__name__.removeprefix("random_").replace("_", "-")
    return Images(tuple(f"{kind}-{split}-{index:05d}" for index in range(count)), load)

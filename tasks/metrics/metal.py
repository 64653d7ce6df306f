"""Scores of one CT slice with metal in it: ``f(x_hat, x, params, *, water) -> float``, in Hounsfield units.

Both look at soft tissue near the metal, where ``params["tissue"]`` is one, and their squares add up to the mean square
error there. Errors are 1000 (x_hat − x) / μ_w HU, with ``water`` μ_w in the unit of the image.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_erosion, distance_transform_edt
from torch import Tensor

from tasks.metrics.region import Params, region

Array = NDArray[np.float64]

SOFT = (-150.0, 200.0)  # HU, from fat to blood
NEAR = 5.0  # cm from the metal


def streaks(x_hat: Tensor, x: Tensor, params: Params, *, water: float) -> float:
    """The standard deviation of the error: streaks, and noise."""
    return float(_errors(x_hat, x, params, water).std(correction=0))


def bias(x_hat: Tensor, x: Tensor, params: Params, *, water: float) -> float:
    """The size of the mean signed error: shading by hardened rays, and values that an interpolation gets wrong."""
    return float(_errors(x_hat, x, params, water).mean().abs())


def _errors(x_hat: Tensor, x: Tensor, params: Params, water: float) -> Tensor:
    if "tissue" not in params:
        raise ValueError("a score near metal needs params['tissue'], got " + (", ".join(params) or "no params"))
    x_hat, x, inside = region(x_hat, x, {"mask": params["tissue"]}, "values", True, False)
    return 1000 * (x_hat - x)[inside] / water


def regions(x: Array, metal: NDArray[np.bool_], pixel: float, water: float) -> dict[str, Tensor]:
    """The masks of a slice x (H, W), each (1, H, W): ``mask`` outside of the metal, ``tissue`` in soft tissue near it.

    The eight neighbours of metal are not scored, since they share its blur: whether a method takes such a pixel for
    metal would decide its PSNR. Soft tissue is within `SOFT`, and so are its four neighbours, so that no edge of bone
    or lung is among it. ``pixel`` is in cm.
    """
    low, high = (water * (1 + number / 1000) for number in SOFT)
    outside = ~binary_dilation(metal, np.ones((3, 3), bool))
    soft = binary_erosion((x > low) & (x < high) & ~metal)
    near = distance_transform_edt(~metal) * pixel < NEAR
    masks = {"mask": outside, "tissue": outside & soft & near}
    return {name: torch.from_numpy(one[None].astype(float)) for name, one in masks.items()}

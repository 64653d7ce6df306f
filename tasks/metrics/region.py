"""The part of two images that a metric scores.

- ``on``: ``values``, the image as it is; for C = 2 holding real and imaginary part, ``real`` (channel 0, unclipped) or
  ``magnitude``.
- ``mask``: score only where ``params["mask"]``, of the shape of the image or broadcast to it, is non-zero.
- ``demean``: remove each image's mean (inside the mask, if there is one) before scoring.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

Params = Mapping[str, Tensor]

ROUNDING = 1e-12  # relative to the largest value: a constant image less its mean is zero but for this


def region(
    x_hat: Tensor, x: Tensor, params: Params, on: str, mask: bool, demean: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """``x_hat`` and ``x`` as they are scored, and a boolean tensor of their shape that is true where they are.

    Raises ValueError for images of unequal or other shapes, an unknown ``on``, and a mask that is missing or empty.
    """
    if x_hat.shape != x.shape or x.ndim not in (4, 5) or len(x) != 1:
        raise ValueError(
            f"a score takes two images (1, C, H, W) or (1, C, D, H, W) of one shape, "
            f"got {tuple(x_hat.shape)} and {tuple(x.shape)}"
        )
    x_hat, x = view(x_hat.double(), on), view(x.double(), on)
    inside = torch.ones_like(x, dtype=torch.bool)
    if mask:
        if "mask" not in params:
            raise ValueError("a masked score needs params['mask'], got " + (", ".join(params) or "no params"))
        try:
            inside = (params["mask"] != 0).expand_as(x)
        except RuntimeError:
            shapes = f"{tuple(params['mask'].shape)} and {tuple(x.shape)}"
            raise ValueError(f"params['mask'] must broadcast to the image, got shapes {shapes}") from None
        if not inside.any():
            raise ValueError("params['mask'] is empty: there is nothing to score")
    if demean:
        x_hat, x = _demeaned(x_hat, inside), _demeaned(x, inside)
    return x_hat, x, inside


def _demeaned(image: Tensor, inside: Tensor) -> Tensor:
    less = image - image[inside].mean()
    constant = less[inside].abs().max() <= ROUNDING * image[inside].abs().max()
    return torch.where(inside, 0.0, less) if constant else less


def relative_error(x_hat: Tensor, x: Tensor, whole: float) -> float:
    """``whole`` · ||x_hat - x|| / ||x||; of x = 0 it is 0 where x_hat = 0 too, else ``whole``."""
    error, reference = (x_hat - x).norm(), x.norm()
    return float(whole * error / reference) if reference > 0 else whole * float(error > 0)


def view(image: Tensor, on: str) -> Tensor:
    if on == "values":
        return image
    if image.shape[1] != 2:
        raise ValueError(f"a score on {on!r} takes a complex image with C = 2, got shape {tuple(image.shape)}")
    if on == "real":
        return image[:, :1]
    if on == "magnitude":
        return image.square().sum(1, keepdim=True).sqrt()
    raise ValueError(f"a score is on 'values', 'real' or 'magnitude', got {on!r}")

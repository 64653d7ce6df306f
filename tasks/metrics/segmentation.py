"""Scores of one label map: ``f(finding, target, params, **options) -> float``.

A finding (1, classes, ...) and ``target["map"]`` are cut at a probability of one half. ``channel`` chooses one class;
otherwise the score is the mean over the classes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, distance_transform_edt
from torch import Tensor

from tasks.metrics.region import Params

HALF = 0.5
Mask = NDArray[np.bool_]


def dice(finding: Tensor, target: dict[str, Tensor], params: Params, *, channel: int | None = None) -> float:
    """Dice coefficient 2 |A ∩ B| / (|A| + |B|), in [0, 1]; 1 where both masks are empty.

    L. Dice, Measures of the amount of ecologic association between species, Ecology 26(3), 1945.
    """
    return _mean(overlap, finding, target["map"], channel)


def surface_distance(
    finding: Tensor, target: dict[str, Tensor], params: Params, *, channel: int | None = None
) -> float:
    """Average symmetric surface distance in pixels: of the border pixels of either mask to the border of the other.

    0 where both masks are empty; the diagonal of the image, the largest distance in it, where one is.

    T. Heimann et al., Comparison and evaluation of methods for liver segmentation from CT datasets, IEEE TMI 28, 2009.
    """
    return _mean(between_surfaces, finding, target["map"], channel)


def overlap(a: Mask, b: Mask) -> float:
    both = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / both if both else 1.0


def between_surfaces(a: Mask, b: Mask) -> float:
    if not a.any() or not b.any():
        return 0.0 if a.any() == b.any() else float(np.linalg.norm(a.shape))
    first, second = border(a), border(b)
    there, back = distance_transform_edt(~second)[first], distance_transform_edt(~first)[second]
    return float((there.sum() + back.sum()) / (len(there) + len(back)))


def border(mask: Mask) -> Mask:
    """The pixels of a mask with a neighbour outside of it; beyond the image is outside."""
    return mask & ~binary_erosion(mask)


def _mean(score: Callable[[Mask, Mask], float], finding: Tensor, truth: Tensor, channel: int | None) -> float:
    if finding.shape != truth.shape or len(finding) != 1:
        shapes = f"{tuple(finding.shape)} and {tuple(truth.shape)}"
        raise ValueError(f"a score takes two maps (1, classes, ...) of one shape, got {shapes}")
    channels = range(finding.shape[1]) if channel is None else (channel,)
    masks = [((finding[0, k] > HALF).numpy(), (truth[0, k] > HALF).numpy()) for k in channels]
    return sum(score(a, b) for a, b in masks) / len(masks)

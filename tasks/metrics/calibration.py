"""Scores of standard deviations: how often x_hat ± q·std holds x, how wide that is, and whether errors lie where std is

The referee asks a track's module of this kind for three functions. ``facts`` of the validation images make the
factors q of split-conformal calibration by ``calibrate``; ``scores`` are of one test image. A value is a pixel of a
channel inside of the scored part of the image.

The calibration is a Mondrian one: values of one category have a factor of their own, the ⌈(n + 1) level⌉-th smallest
of the n ratios |x_hat − x| / std of the category in validation images. A category is a quarter of all values by std and
of these a quarter by the local contrast of x_hat, for an error depends on both: where test images have more edges than
validation images, a single factor covers too little. If the values of a category were exchangeable, x_hat ± q·std would
hold x with a probability of level at least. Values of one image are not independent, so the coverage of test images
tells how far that carries.

V. Vovk, A. Gammerman, G. Shafer, Algorithmic learning in a random world, Springer, 2005 (Mondrian: section 4.5).
J. Lei, M. G'Sell, A. Rinaldo, R. Tibshirani, L. Wasserman, Distribution-free predictive inference for regression, JASA
113(523), 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf
from statistics import NormalDist
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, avg_pool3d, pad

from tasks.metrics.region import ROUNDING, Params, region, view

PARTS = 4  # of the values by std, and of each of them by contrast
FEWEST = 100  # values of a category that has a factor of its own; one with fewer takes that of all values
WINDOW = 5  # pixels along each side, of the local contrast


def facts(x_hat: Tensor, std: Tensor, x: Tensor, params: Params, **convention: Any) -> Tensor:
    """Ratio |x_hat − x| / std, std and contrast of all n values, (3, n).

    A ratio is infinite where std alone is zero, and zero where both are.
    """
    error, std, contrast = values(x_hat, std, x, params, **convention)
    return torch.stack([_ratios(error, std), std, contrast])


@dataclass(frozen=True)
class Calibration:
    """The factors of the categories, and where these end."""

    std_ends: Tensor  # (PARTS − 1,), the largest std of a part but for the last
    contrast_ends: Tensor  # (PARTS, PARTS − 1), of each part by std
    table: Tensor  # (PARTS, PARTS), infinite where values are too few for the level

    @property
    def factors(self) -> list[float]:
        return self.table.flatten().tolist()

    def __call__(self, std: Tensor, contrast: Tensor) -> Tensor:
        """The factor of each value, (n,)."""
        row = torch.searchsorted(self.std_ends, std)
        column = torch.searchsorted(self.contrast_ends[row], contrast[:, None])[:, 0]
        return self.table[row, column]


def calibrate(facts: Sequence[Tensor], level: float) -> Calibration:
    """The factors that the facts of some images ask for."""
    ratio, std, contrast = torch.cat(list(facts), dim=1)
    every = quantile(ratio, level)
    std_ends = ends(std)
    row = torch.searchsorted(std_ends, std)
    contrast_ends, table = [], []
    for part in range(PARTS):
        chosen = row == part
        contrast_ends.append(ends(contrast[chosen]))
        column = torch.searchsorted(contrast_ends[-1], contrast[chosen])
        categories = [ratio[chosen][column == one] for one in range(PARTS)]
        table.append([quantile(one, level) if len(one) >= FEWEST else every for one in categories])
    return Calibration(std_ends, torch.stack(contrast_ends), torch.tensor(table, dtype=torch.float64))


def ends(values: Tensor) -> Tensor:
    """The largest values of the first parts of equal size of n values; infinite where n = 0."""
    if not len(values):
        return values.new_full((PARTS - 1,), inf)
    places = [ceil(part * len(values) / PARTS) - 1 for part in range(1, PARTS)]
    return values.sort().values[places]


def quantile(ratios: Tensor, level: float) -> float:
    """The ⌈(n + 1) level⌉-th smallest of n ratios; infinite where that is beyond the last."""
    rank = ceil(round((len(ratios) + 1) * level, 6))  # a product such as 63.00000000000001 is 63
    return float(ratios.kthvalue(rank).values) if rank <= len(ratios) else inf


def scores(
    x_hat: Tensor,
    std: Tensor,
    x: Tensor,
    params: Params,
    calibration: Calibration,
    level: float,
    **convention: Any,
) -> dict[str, float]:
    """The scores of one image by name.

    ``coverage`` is the percentage of values inside of x_hat ± z·std with z the quantile of the normal distribution,
    ``calibrated_coverage`` inside of x_hat ± q·std, and ``width`` the mean width of the latter interval, in the unit of
    the image. ``correlation`` is Pearson's of std and |x_hat − x|, 0 where either is constant; `ause` is below.
    """
    error, std, contrast = values(x_hat, std, x, params, **convention)
    ratio, factor = _ratios(error, std), calibration(std, contrast)
    return {
        "coverage": _percentage(ratio <= NormalDist().inv_cdf((1 + level) / 2)),
        "calibrated_coverage": _percentage(ratio <= factor),
        "width": float((2 * factor * std).mean()),
        "correlation": correlation(std, error),
        "ause": ause(std, error),
    }


def values(
    x_hat: Tensor,
    std: Tensor,
    x: Tensor,
    params: Params,
    on: str = "values",
    mask: bool = False,
    demean: bool = False,
    **others: Any,  # conventions that move no error, such as the data range
) -> tuple[Tensor, Tensor, Tensor]:
    """|x_hat − x|, std and local contrast of the values that the conventions of a metric score, each (n,).

    The deviation of a magnitude is not known: there all channels are scored.
    """
    on = "values" if on == "magnitude" else on
    x_hat, x, inside = region(x_hat, x, params, on, mask, demean)
    return (x_hat - x).abs()[inside], view(std.double(), on)[inside], contrast(x_hat)[inside]


def contrast(image: Tensor) -> Tensor:
    """The standard deviation of the `WINDOW`-sided neighbourhood of each pixel, of an image (1, C, [D,] H, W)."""
    means = avg_pool3d if image.ndim == 5 else avg_pool2d
    wide = pad(image, (WINDOW // 2,) * 2 * (image.ndim - 2), mode="replicate")
    mean, square = (means(one, WINDOW, stride=1) for one in (wide, wide.square()))
    return (square - mean.square()).clamp(min=0).sqrt()


def correlation(std: Tensor, error: Tensor) -> float:
    """Pearson's correlation of two (n,); 0 where one is constant but for rounding."""
    a, b = std - std.mean(), error - error.mean()
    if a.norm() <= ROUNDING * std.norm() or b.norm() <= ROUNDING * error.norm():
        return 0.0
    return float(a @ b / (a.norm() * b.norm()))


def ause(std: Tensor, error: Tensor) -> float:
    """Area between two sparsification curves, in parts of the mean error: 0 where std has the order of the errors.

    A curve is the mean error of the values that are left when the k of largest std, or of largest error, are taken
    away, k = 0, ..., n − 1. Values of equal std go in random order: each counts as their mean error.

    E. Ilg et al., Uncertainty estimates and multi-hypotheses networks for optical flow, ECCV 2018.
    """
    if not error.any():
        return 0.0
    levels, place = std.unique(return_inverse=True)
    total = torch.zeros_like(levels).index_add_(0, place, error)
    expected = (total / torch.bincount(place))[place][std.argsort()]
    left = torch.arange(1, len(error) + 1)
    by_std, by_error = (one.cumsum(0) / left for one in (expected, error.sort().values))
    return float((by_std - by_error).mean() / error.mean())


def _ratios(error: Tensor, std: Tensor) -> Tensor:
    return torch.where(error > 0, error / std, 0.0)


def _percentage(inside: Tensor) -> float:
    return float(100 * inside.double().mean())

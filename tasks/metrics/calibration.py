"""Scores of standard deviations: how often x_hat ± q·std holds x, how wide that is, and whether errors lie where std is

The referee asks a track's module of this kind for three functions. ``ratios`` of the validation images make the
``factor`` q of split-conformal calibration, the ⌈(n + 1) level⌉-th smallest of the n ratios |x_hat − x| / std;
``scores`` are of one test image. A value is a pixel of a channel inside of the scored part of the image. If values were
exchangeable, x_hat ± q·std would hold x with a probability of level at least; values of one image are not independent,
so the coverage of test images tells how far that carries.

V. Vovk, A. Gammerman, G. Shafer, Algorithmic learning in a random world, Springer, 2005.
J. Lei, M. G'Sell, A. Rinaldo, R. Tibshirani, L. Wasserman, Distribution-free predictive inference for regression, JASA
113(523), 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, inf
from statistics import NormalDist
from typing import Any

import torch
from torch import Tensor

from tasks.metrics.region import ROUNDING, Params, region, view


def ratios(x_hat: Tensor, std: Tensor, x: Tensor, params: Params, **convention: Any) -> Tensor:
    """|x_hat − x| / std of all n values, (n,): infinite where std alone is zero, zero where both are."""
    return _ratios(*values(x_hat, std, x, params, **convention))


def factor(ratios: Sequence[Tensor], level: float) -> float:
    """The conformal quantile of the ratios of some images; infinite where they are too few for the level."""
    pooled = torch.cat(list(ratios))
    rank = ceil(round((len(pooled) + 1) * level, 6))  # a product such as 63.00000000000001 is 63
    return float(pooled.kthvalue(rank).values) if rank <= len(pooled) else inf


def scores(
    x_hat: Tensor, std: Tensor, x: Tensor, params: Params, factor: float, level: float, **convention: Any
) -> dict[str, float]:
    """The scores of one image by name.

    ``coverage`` is the percentage of values inside of x_hat ± z·std with z the quantile of the normal distribution,
    ``calibrated_coverage`` inside of x_hat ± factor·std, and ``width`` the mean width of the latter interval, in the
    unit of the image. ``correlation`` is Pearson's of std and |x_hat − x|, 0 where either is constant; `ause` is below.
    """
    error, std = values(x_hat, std, x, params, **convention)
    ratio = _ratios(error, std)
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
) -> tuple[Tensor, Tensor]:
    """|x_hat − x| and std of the values that the conventions of a metric score, both (n,).

    The deviation of a magnitude is not known: there all channels are scored.
    """
    on = "values" if on == "magnitude" else on
    x_hat, x, inside = region(x_hat, x, params, on, mask, demean)
    return (x_hat - x).abs()[inside], view(std.double(), on)[inside]


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

"""Means, intervals and paired comparisons of scores: the groups are the unit, and seeds are carried beside them.

Test images of one group (the crops of one scene, the slices of one subject) resemble each other, so G groups of images
are G independent draws, however many images they hold. A trained method adds a second source of chance: its seed. For
the mean m[s, g] of the images of group g under seed s, with n_g images in the group, the model is

    m[s, g] = mu + group[g] + seed[s] + residual[s, g],        all three random, independent, with mean zero.

*Estimator.* mu is estimated by the plain mean over images, averaged over seeds: the sum of w_g m[., g] with the weights
w_g = n_g / n. Every image weighs equally, so that a group weighs as much as it has images.

*Variance.* e_g = m[., g] - mu, and c_g = w_g^2 / (1 - 2 w_g + sum of w^2). Then V_G, the sum of c_g e_g^2, estimates
the variance that comes from groups without bias when all groups are equally variable, and nearly so otherwise
(HC2 of MacKinnon and White, J. Econometrics 29, 1985; its degrees of freedom are those of Bell and McCaffrey, Survey
Methodology 28, 2002, here with independent group means of equal variance). For groups of equal size V_G is s^2 / G with
G - 1 degrees of freedom, as in Student's t over the group means. With S seeds, V_S = (variance of the seed means) / S
with S - 1 degrees of freedom estimates the variance that comes from seeds and from the residual; the residual stands in
V_G already, so its estimate V_R is subtracted: V = V_G + max(V_S - V_R, 0). This is the two-way analysis of variance
with crossed random effects; its estimates are those of the mean squares when the groups are of equal size.

*Degrees of freedom.* 1 / df is the mean of 1 / df_G and 1 / (S - 1), weighted by the two parts of V. Satterthwaite's
formula weighs by squares, and with 3 seeds it is too bold (92.5 % coverage, and up to ten times too many p below
0.001). The linear weights agree, to first order in 1 / df, with the conservative rule of Cochran and Cox (Experimental
Designs, 1950).

*A difference* of two methods is treated in the same way: e_g comes from the paired differences of the groups, and the
seed part is the sum of both methods' own, because their seeds have nothing in common; its degrees of freedom are
Welch's. The interval of a trained method with one seed is for new groups only: one seed says nothing of others.

*Coverage* of the 95 % interval of a mean, simulated in the tests with 4, 8 and 16 groups and 1, 3 and 5 seeds: 93 to
97 % for groups of equal size and moderately skewed scores. It is wider than needed (to 98 or 99 %) where 4 groups and
3 seeds matter alike, where both methods of a difference have seeds, and where few groups hold most of the images; it
covers 92 to 94 % where the scores of groups are as skewed as an exponential distribution.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]

FEWEST_GROUPS = 4  # below this there is no interval, no test and no rank (3 groups would ask for a t of 4.3)
FEWEST_SEEDS = 3  # of a trained method that is ranked; its seed part then has two degrees of freedom or more
CONFIDENCE = 0.95

PerSeed = Mapping[int, Mapping[str, float]]  # {seed: {image id: score}}; a method without training has one seed


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval, in the unit of the scores."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """Mean of ``a`` minus mean of ``b``; its interval and two-sided p-value are None below 4 groups."""

    difference: float
    interval: Interval | None
    p: float | None


class Estimate(NamedTuple):
    """Means, their standard errors and the degrees of freedom of these; arrays of one shape ``(...)``."""

    mean: Array
    error: Array
    degrees: Array

    def p(self) -> Array:
        """Two-sided p-value of a true mean of zero, by Student's t. An error of zero gives 1 (mean zero) or 0."""
        import numpy as np
        from scipy.special import stdtr

        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(self.mean == 0, 0.0, np.abs(self.mean) / self.error)
        return 2 * stdtr(self.degrees, -ratio)

    def half_width(self) -> Array:
        """Half of the 95 % interval."""
        from scipy.special import stdtrit

        return stdtrit(self.degrees, (1 + CONFIDENCE) / 2) * self.error


def mean_interval(per_seed: PerSeed, groups: Mapping[str, str]) -> Interval | None:
    """The mean over images and its 95 % interval for new groups and new seeds; None below 4 groups.

    ``groups`` is ``{image id: group}``. Only images that every seed has are used. Raises `ValueError` where there is
    none or one has no group.
    """
    images = shared_images([per_seed])
    table, sizes = group_means(per_seed, groups, images)
    return _interval(estimate(table, sizes)) if len(sizes) >= FEWEST_GROUPS else None


def compare(a: PerSeed, b: PerSeed, groups: Mapping[str, str]) -> Comparison:
    """The paired comparison of two methods over the groups and seeds, on the images that all seeds of both have.

    The p-value is for this one comparison; a board makes many and corrects for it (`bench.leaderboard.ranking`).
    Raises `ValueError` where no image is shared or one has no group.
    """
    images = shared_images([a, b])
    (first, sizes), (second, _) = (group_means(scores, groups, images) for scores in (a, b))
    if len(sizes) < FEWEST_GROUPS:
        return Comparison(float((first.mean(axis=0) - second.mean(axis=0)) @ sizes / sizes.sum()), None, None)
    found = estimate(first, sizes, second)
    return Comparison(float(found.mean), _interval(found), float(found.p()))


def seed_spread(per_seed: PerSeed) -> float | None:
    """The standard deviation of the means of the seeds, in the unit of the scores; None below 2 seeds."""
    if len(per_seed) < 2:
        return None
    means = [math.fsum(scores.values()) / len(scores) for scores in per_seed.values()]
    centre = math.fsum(means) / len(means)
    return math.sqrt(math.fsum((mean - centre) ** 2 for mean in means) / (len(means) - 1))


def shared_images(methods: Iterable[PerSeed]) -> list[str]:
    """The ids, sorted, of the images that all seeds of all methods have. Raises `ValueError` where there is none."""
    found = [set(scores) for per_seed in methods for scores in per_seed.values()]
    images = sorted(set.intersection(*found)) if found else []
    if not images:
        raise ValueError("the scores share no image: compare methods on the same test images")
    return images


def group_means(
    per_seed: PerSeed, groups: Mapping[str, str], images: Sequence[str]
) -> tuple[Array, Array]:  # (seeds, groups) and (groups,)
    """The mean of each group under each seed, and how many of the images each group has.

    Seeds and groups are sorted by their names. Raises `ValueError` where an image has no group.
    """
    import numpy as np

    members: dict[str, list[str]] = {}
    for image in images:
        if image not in groups:
            raise ValueError(f"image {image!r} has no group: the track must give one to each of its test images")
        members.setdefault(groups[image], []).append(image)
    names = sorted(members)
    rows = [
        [math.fsum(per_seed[seed][image] for image in members[name]) / len(members[name]) for name in names]
        for seed in sorted(per_seed)
    ]
    return np.array(rows, dtype=float), np.array([len(members[name]) for name in names], dtype=float)


def estimate(
    first: Array,  # (..., seeds, groups), the means of groups
    sizes: Array,  # (groups,), the numbers of images
    second: Array | None = None,  # (..., other seeds, groups), of the method to subtract
) -> Estimate:
    """The mean over images, or the difference of two of them, by the formulas of this module; at least 2 groups."""
    import numpy as np

    weights = sizes / sizes.sum()
    factors = weights**2 / (1 - 2 * weights + (weights**2).sum())
    centring = np.eye(len(weights)) - weights  # takes group means to their residuals e
    form = centring.T @ (factors[:, None] * centring)  # V_G = m' form m
    group_degrees = np.trace(form) ** 2 / (form * form).sum()

    means = first.mean(axis=-2)
    if second is not None:
        means = means - second.mean(axis=-2)
    mean = means @ weights
    of_groups = (means - mean[..., None]) ** 2 @ factors
    of_seeds = np.zeros_like(mean)
    squares = np.zeros_like(mean)  # of_seeds^2 over its degrees of freedom
    for table in (first,) if second is None else (first, second):
        if table.shape[-2] > 1:
            part = _seed_variance(table, weights, factors)
            of_seeds = of_seeds + part
            squares = squares + part**2 / (table.shape[-2] - 1)

    variance = of_groups + of_seeds
    with np.errstate(divide="ignore", invalid="ignore"):
        reciprocal = of_groups / group_degrees + np.where(of_seeds > 0, squares / of_seeds, 0)
        degrees = np.where(variance > 0, variance / reciprocal, group_degrees)
    return Estimate(mean, np.sqrt(variance), degrees)


def _seed_variance(table: Array, weights: Array, factors: Array) -> Array:
    """max(V_S - V_R, 0) of tables (..., seeds, groups)."""
    import numpy as np

    seeds = table.shape[-2]
    deviations = table - table.mean(axis=-2, keepdims=True)
    of_seeds = deviations @ weights
    residuals = deviations - of_seeds[..., None]
    both = (of_seeds**2).sum(axis=-1)
    residual = (residuals**2 @ factors).sum(axis=-1)
    return np.maximum(both - residual, 0) / (seeds - 1) / seeds


def _interval(found: Estimate) -> Interval:
    mean, half = float(found.mean), float(found.half_width())
    return Interval(mean, mean - half, mean + half)

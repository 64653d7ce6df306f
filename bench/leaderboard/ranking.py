"""How the ranks of a board are found, and what they promise.

A board orders methods by the mean of their scores over the test images. The order alone claims too much: other test
images, or other seeds of a trained method, would give another one. So each method gets an interval of ranks, from the
best to the worst that the scores allow, and every method whose interval begins at 1 is *joint first*.

1. Every pair of methods is compared on the same images: the difference of their means, divided by its standard error,
   gives a p-value by Student's t. The error counts groups of images (the crops of one scene, the slices of one
   subject), not images, and for trained methods also seeds (`bench.leaderboard.statistics` has the formulas). Where no
   group differs by more than a millionth of its score, the scores differ by rounding alone, and p is 1.
2. For each method its comparisons with the M - 1 others are sorted by p-value. While r of them are left, the smallest
   must be below

       0.05 / (r (r + 1) / 2),

   where r (r + 1) / 2 is the number of pairs among the r others and the method itself. If it is, the pair is told apart
   and r falls by one; if not, the method can't be told from any that is left.
3. Two methods are told apart if step 2 tells them apart for either. A method's best rank is 1 + the number of methods
   that are told apart from it and better, its worst is M - the number of methods that are told apart and worse.

The promise. Among methods that are equal in truth, the chance that any two are told apart is at most 5 %: until the
first such error all m - 1 equals of a method are left, so each of their m (m - 1) / 2 pairs is tested at 5 % over
m (m - 1) / 2 or less. (This is Holm's step-down argument, Scand. J. Statist. 6, 1979, for the pairs of one cluster.)
Hence the chance that a truly best method is missing from the joint firsts, or that any of several equally best ones is,
is at most 5 %; and a method's interval misses its true rank in at most 5 % of boards (rank intervals from pairwise
tests: Mogstad, Romano, Shaikh and Wilhelm, Rev. Econ. Stud. 91, 2024). The proof needs exact p-values and covers false
differences between equals. It leaves out that a better method is taken for a worse one. This error, skewed scores,
groups of unequal size and few seeds are checked by simulation with 4, 8 and 16 groups (`test_ranking.py`).

Weaker methods. A method that is clearly weaker is told apart first and leaves the comparisons of all others, so that
it moves no interval. One that is not clearly weaker can make an interval wider, never narrower: nobody rises because
others join. A correction over all pairs of the board lacks this property: there the pairs of weak methods among
themselves decide about the strong.

With fewer than 4 groups nothing can be told: the board shows the order and no ranks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.leaderboard.statistics import (
    CONFIDENCE,
    FEWEST_GROUPS,
    PerSeed,
    estimate,
    group_means,
    shared_images,
)

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]
    Flags = np.ndarray[Any, np.dtype[np.bool_]]

ROUNDING = 1e-6  # relative difference of two scores of images in single precision that differ by rounding


@dataclass(frozen=True)
class Place:
    """A method's place by its mean (equal means share one: 1, 2, 2, 4), and its rank interval, None below 4 groups."""

    order: int
    best: int | None
    worst: int | None

    @property
    def joint_first(self) -> bool:
        """Whether the method can't be told from the first. False where there are no ranks."""
        return self.best == 1


@dataclass(frozen=True)
class Ranking:
    """The places of a board's methods, best mean first, and the number of groups they rest on."""

    places: dict[str, Place]
    groups: int

    @property
    def too_few(self) -> bool:
        """Whether the groups are too few to tell: there is an order, and there are no ranks."""
        return self.groups < FEWEST_GROUPS

    @property
    def first(self) -> list[str]:
        """The methods that are joint first, best mean first."""
        return [name for name, place in self.places.items() if place.joint_first]


def ranking(
    scores: Mapping[str, PerSeed],  # {method: {seed: {image id: score}}}
    groups: Mapping[str, str],  # {image id: group}
    higher_is_better: bool,
) -> Ranking:
    """Places and rank intervals of the methods, on the images that all seeds of all of them have.

    Raises `ValueError` where they share no image, or an image has no group.
    """
    import numpy as np

    if not scores:
        return Ranking({}, 0)
    names = sorted(scores)
    images = shared_images(scores.values())
    tables = [group_means(scores[name], groups, images) for name in names]
    sizes = tables[0][1]
    weights = sizes / sizes.sum()
    means = np.array([table.mean(axis=0) @ weights for table, _ in tables])
    worth = means if higher_is_better else -means
    order = 1 + (worth > worth[:, None]).sum(axis=1)
    best: list[int | None] = [None] * len(names)
    worst = list(best)
    if len(sizes) >= FEWEST_GROUPS:
        lowest, highest = rank_intervals(worth, told_apart(pairwise_p([table for table, _ in tables], sizes)))
        best, worst = [int(rank) for rank in lowest], [int(rank) for rank in highest]
    places = {names[i]: Place(int(order[i]), best[i], worst[i]) for i in np.argsort(order, kind="stable")}
    return Ranking(places, len(sizes))


def pairwise_p(
    tables: list[Array],  # of every method (..., seeds, groups), the means of groups
    sizes: Array,  # (groups,), the numbers of images
) -> Array:  # (..., methods, methods)
    """The two-sided p-values of the paired comparisons of all methods, uncorrected; 1 on the diagonal."""
    import numpy as np

    p = np.ones((*tables[0].shape[:-2], len(tables), len(tables)))
    means = [table.mean(axis=-2) for table in tables]
    for i in range(len(tables)):
        for j in range(i):
            equal = np.isclose(means[i], means[j], rtol=ROUNDING, atol=0).all(axis=-1)
            p[..., i, j] = p[..., j, i] = np.where(equal, 1.0, estimate(tables[i], sizes, tables[j]).p())
    return p


def told_apart(p: Array) -> Flags:  # (..., methods, methods) both
    """Which pairs are told apart, by steps 2 and 3 of this module, from the p-values of single comparisons."""
    import numpy as np

    count = p.shape[-1]
    others = np.where(np.eye(count, dtype=bool), np.inf, p)
    order = np.argsort(others, axis=-1)
    left = np.maximum(np.arange(count - 1, -1, -1), 1)  # the last place is the method itself, never below a threshold
    thresholds = (1 - CONFIDENCE) / (left * (left + 1) / 2)
    passed = np.logical_and.accumulate(np.take_along_axis(others, order, axis=-1) < thresholds, axis=-1)
    found = np.zeros(p.shape, dtype=bool)
    np.put_along_axis(found, order, passed, axis=-1)
    return found | np.swapaxes(found, -1, -2)


def pairwise_order(
    scores: Mapping[str, PerSeed],  # {method: {seed: {image id: score}}}
    names: Sequence[str],
    groups: Mapping[str, str],  # {image id: group}
    higher_is_better: bool,
) -> Array:  # (methods, methods)
    """For each pair of methods 1 where the first is told apart and better, -1 where it is worse, else 0."""
    import numpy as np

    images = shared_images(scores.values())
    tables = [group_means(scores[name], groups, images) for name in names]
    sizes = tables[0][1]
    if len(sizes) < FEWEST_GROUPS:
        return np.zeros((len(names), len(names)))
    worth = np.array([table.mean(axis=0) @ sizes for table, _ in tables]) * (1 if higher_is_better else -1)
    apart = told_apart(pairwise_p([table for table, _ in tables], sizes))
    return np.sign(worth[:, None] - worth) * apart


def rank_intervals(
    worth: Array,  # (..., methods), higher is better
    apart: Flags,  # (..., methods, methods)
) -> tuple[Array, Array]:  # (..., methods) both
    """The best and the worst rank of every method."""
    better = worth[..., None, :] > worth[..., :, None]
    worse = worth[..., None, :] < worth[..., :, None]
    return 1 + (apart & better).sum(axis=-1), worth.shape[-1] - (apart & worse).sum(axis=-1)

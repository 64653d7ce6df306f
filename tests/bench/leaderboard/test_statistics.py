import math

import numpy as np
import pytest
import scipy.stats

from bench.leaderboard.statistics import (
    FEWEST_GROUPS,
    compare,
    estimate,
    group_means,
    mean_interval,
    seed_spread,
)

BOARDS = 20_000  # simulated ones; the standard error of a coverage of 95 % is 0.15 %


def named(values):
    """``{image: value}`` and ``{image: group}`` from the values of every group."""
    scores = {f"{g}-{i}": float(value) for g, group in enumerate(values) for i, value in enumerate(group)}
    return scores, {image: f"scene {image.split('-')[0]}" for image in scores}


def drawn(seed, groups=6, images=3):
    return np.random.default_rng(seed).normal(28, 2, (groups, images))


def test_interval_of_equal_groups_is_scipys_over_group_means():
    values = drawn(0)
    scores, groups = named(values)
    means = values.mean(axis=1)
    low, high = scipy.stats.t.interval(0.95, len(means) - 1, means.mean(), scipy.stats.sem(means))
    found = mean_interval({0: scores}, groups)
    assert (found.mean, found.low, found.high) == pytest.approx((values.mean(), low, high), rel=1e-12)


def test_comparison_of_equal_groups_is_scipys_over_group_means():
    a, b = drawn(1), drawn(1) + np.random.default_rng(2).normal(0.3, 0.5, (6, 3))
    (first, groups), (second, _) = named(a), named(b)
    expected = scipy.stats.ttest_rel(a.mean(axis=1), b.mean(axis=1))
    found = compare({0: first}, {0: second}, groups)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9)
    bounds = expected.confidence_interval(0.95)
    assert (found.interval.low, found.interval.high) == pytest.approx((bounds.low, bounds.high), rel=1e-9)
    assert found.difference == pytest.approx((a - b).mean())


def by_hand():
    """Three seeds on four groups: 10 + group + seed + residual, the parts orthogonal to each other.

    Mean squares: groups 3 * 20 / 3 = 20, seeds 4 * 8 / 2 = 16, residual 24 / 6 = 4. The variance of the mean is
    (20 + 16 - 4) / 12 = 8/3, of which 20 have 3 and 12 have 2 degrees of freedom: 1 / df = (20/3 + 12/2) / 32 = 19/48.
    """
    of_groups, of_seeds = np.array([-3, -1, 1, 3.0]), np.array([-2, 0, 2.0])
    residual = np.outer([1, -2, 1], [1, -1, -1, 1])
    return 10 + of_groups + of_seeds[:, None] + residual


def test_two_way_analysis_of_variance_by_hand():
    found = estimate(by_hand(), np.full(4, 2.0))
    assert found.mean == pytest.approx(10)
    assert found.error == pytest.approx(math.sqrt(8 / 3))
    assert found.degrees == pytest.approx(48 / 19)
    assert found.half_width() == pytest.approx(scipy.stats.t.ppf(0.975, 48 / 19) * math.sqrt(8 / 3))
    assert found.p() == pytest.approx(2 * scipy.stats.t.sf(10 / math.sqrt(8 / 3), 48 / 19))


def test_interval_of_three_seeds_by_hand():
    per_seed = {seed: named(row[:, None] + [-1, 1])[0] for seed, row in enumerate(by_hand())}
    groups = named(by_hand()[0][:, None] + [-1, 1])[1]
    half = scipy.stats.t.ppf(0.975, 48 / 19) * math.sqrt(8 / 3)
    found = mean_interval(per_seed, groups)
    assert (found.mean, found.low, found.high) == pytest.approx((10, 10 - half, 10 + half))


def test_a_difference_adds_the_seed_parts_of_both():
    """Against a method of one seed with scores 2 * group: the groups of the difference are 10 - group, V_G = 20/12."""
    found = estimate(by_hand(), np.ones(4), np.array([[-6, -2, 2, 6.0]]))
    assert (found.mean, found.error) == pytest.approx((10, math.sqrt(8 / 3)))
    both = estimate(by_hand(), np.ones(4), by_hand())
    # Groups cancel. 12/12 remains of the seeds of each, with 2 degrees of freedom; Welch's are 2^2 / (1/2 + 1/2).
    assert (both.mean, both.error, both.degrees) == pytest.approx((0, math.sqrt(2), 4))


def test_seeds_that_agree_add_nothing():
    row = np.array([[1, 4, 2, 9.0]])
    once, thrice = estimate(row, np.ones(4)), estimate(np.repeat(row, 3, axis=0), np.ones(4))
    assert [float(value) for value in once] == pytest.approx([float(value) for value in thrice])


def test_the_mean_is_over_images_and_its_variance_is_unbiased():
    sizes = np.array([1, 2, 5, 2.0])
    scores, groups = named([[5], [1, 3], [2] * 5, [8, 0]])
    assert mean_interval({0: scores}, groups).mean == pytest.approx(np.mean(list(scores.values())))
    found = estimate(np.random.default_rng(0).normal(0, 1, (200_000, 1, 4)), sizes)
    assert (found.error**2).mean() == pytest.approx(((sizes / 10) ** 2).sum(), rel=0.01)
    assert found.mean.var() == pytest.approx(((sizes / 10) ** 2).sum(), rel=0.01)


def test_too_few_groups_have_no_interval_and_no_test():
    for count in (1, 2, FEWEST_GROUPS - 1):
        values = drawn(3, groups=count, images=8)
        scores, groups = named(values)
        higher, _ = named(values + 1)
        assert mean_interval({0: scores}, groups) is None
        found = compare({0: higher}, {0: scores}, groups)
        assert found.difference == pytest.approx(1)
        assert (found.interval, found.p) == (None, None)
    assert mean_interval({0: named(drawn(3, FEWEST_GROUPS))[0]}, named(drawn(3, FEWEST_GROUPS))[1]) is not None


def test_comparison_uses_the_images_that_all_seeds_of_both_have():
    a, b = drawn(1), drawn(2)
    (first, groups), (second, _), (part, _) = named(a), named(b), named(b[:5])
    expected = scipy.stats.ttest_rel(a[:5].mean(axis=1), b[:5].mean(axis=1)).pvalue
    assert compare({0: first}, {0: part}, groups).p == pytest.approx(expected)
    assert compare({0: first, 1: first}, {3: second, 4: part}, groups) == compare(
        {0: named(a[:5])[0], 1: named(a[:5])[0]}, {3: part, 4: part}, groups
    )


def test_comparison_of_equal_and_of_shifted_scores():
    scores, groups = named(np.arange(12.0).reshape(6, 2))
    higher, _ = named(np.arange(12.0).reshape(6, 2) + 1)
    assert compare({0: scores}, {0: scores}, groups).p == 1
    found = compare({0: higher}, {0: scores}, groups)
    assert found.p == pytest.approx(0, abs=1e-12)
    assert (found.interval.low, found.interval.high) == pytest.approx((1, 1))


def test_nothing_depends_on_the_order_of_images_and_seeds():
    per_seed = {seed: named(drawn(seed))[0] for seed in (0, 1, 2)}
    groups = named(drawn(0))[1]
    turned = {seed: dict(reversed(scores.items())) for seed, scores in reversed(per_seed.items())}
    assert mean_interval(turned, dict(reversed(groups.items()))) == mean_interval(per_seed, groups)


def test_scores_without_shared_images_or_without_groups_are_refused():
    scores, groups = named(drawn(0))
    with pytest.raises(ValueError, match="share no image"):
        compare({0: scores}, {0: {"other": 1.0}}, groups)
    with pytest.raises(ValueError, match="share no image"):
        mean_interval({}, groups)
    with pytest.raises(ValueError, match="'0-0' has no group"):
        mean_interval({0: scores}, {})


def test_seed_spread_is_the_standard_deviation_of_seed_means():
    assert seed_spread({0: {"a": 1.0, "b": 3.0}, 5: {"a": 3.0, "b": 5.0}, 7: {"a": 6.0, "b": 6.0}}) == pytest.approx(2)
    assert seed_spread({0: {"a": 1.0}}) is None


def test_group_means_of_images():
    scores, groups = named([[1, 3], [5]])
    table, sizes = group_means({4: scores, 2: {image: 2 * value for image, value in scores.items()}}, groups, [*scores])
    assert table.tolist() == [[4, 10], [2, 5]]
    assert sizes.tolist() == [2, 1]


def effects(rng, shape, skewness):
    """Draws of mean 0 and variance 1: Gaussian, or of a gamma distribution with this skewness."""
    if skewness == 0:
        return rng.normal(size=shape)
    order = 4 / skewness**2
    return (rng.gamma(order, size=shape) - order) / math.sqrt(order)


def covered(groups, seeds, of_seeds, skewness=0.0, sizes=(1,), boards=BOARDS, between=1.0):
    """How often the 95 % interval holds the true mean, 0.

    The standard deviations are ``between`` groups, ``of_seeds``, 0.3 of seed by group, and 0.5 of images in a group.
    """
    rng = np.random.default_rng([groups, seeds, round(10 * of_seeds), round(10 * skewness), len(sizes)])
    sizes = np.resize(np.array(sizes, dtype=float), groups)
    table = between * effects(rng, (boards, 1, groups), skewness) + of_seeds * rng.normal(size=(boards, seeds, 1))
    table = table + 0.3 * rng.normal(size=(boards, seeds, groups))
    table += 0.5 / np.sqrt(sizes) * rng.normal(size=(boards, 1, groups))
    found = estimate(table, sizes)
    return float((np.abs(found.mean) <= found.half_width()).mean())


SEEDS = [(1, 0.0), (3, 0.0), (3, 0.1), (3, 3.0), (5, 0.0), (5, 0.1), (5, 0.3)]  # with the spread of their means


@pytest.mark.parametrize("groups", [4, 8, 16])
@pytest.mark.parametrize(("seeds", "of_seeds"), SEEDS)
@pytest.mark.parametrize("skewness", [0, 1])
def test_interval_covers(groups, seeds, of_seeds, skewness):
    assert 0.93 <= covered(groups, seeds, of_seeds, skewness) <= 0.97


@pytest.mark.parametrize(("groups", "sizes"), [(4, (3, 4, 4, 3)), (8, (1, 3, 2, 2)), (16, (1, 3, 2, 2))])
@pytest.mark.parametrize(("seeds", "of_seeds"), SEEDS)
def test_interval_covers_with_groups_of_unequal_size(groups, sizes, seeds, of_seeds):
    assert 0.93 <= covered(groups, seeds, of_seeds, sizes=sizes) <= 0.97


@pytest.mark.parametrize(
    ("groups", "seeds", "of_seeds", "skewness", "sizes", "low", "high"),
    [
        (4, 3, 1.0, 0, (1,), 0.97, 0.985),  # few seeds on few groups, both matter
        (4, 5, 3.0, 0, (1,), 0.97, 0.98),
        (4, 1, 0.0, 0, (1, 3, 2, 2), 0.96, 0.98),  # unequal sizes
        (8, 1, 0.0, 0, (1, 1, 1, 6), 0.97, 1),  # two groups hold two thirds of the images
        (8, 1, 0.0, 2, (1,), 0.92, 0.95),  # exponential scores of groups: slightly too narrow
        (16, 1, 0.0, 2, (1,), 0.92, 0.95),
    ],
)
def test_where_the_interval_is_not_exact(groups, seeds, of_seeds, skewness, sizes, low, high):
    assert low <= covered(groups, seeds, of_seeds, skewness, sizes) <= high


@pytest.mark.parametrize("groups", [4, 8, 16])
@pytest.mark.parametrize("of_seeds", [0.0, 0.3, 1.0])
def test_interval_of_a_difference_covers(groups, of_seeds):
    """Three seeds against one, and against three: conservative where seeds matter, never below 93 %."""
    rng = np.random.default_rng(groups)
    tables = [
        rng.normal(size=(BOARDS, 1, groups)) + of_seeds * (count > 1) * rng.normal(size=(BOARDS, count, 1))
        for count in (3, 3, 1)
    ]
    for other in tables[1:]:
        found = estimate(tables[0], np.ones(groups), other)
        share = (np.abs(found.mean) <= found.half_width()).mean()
        assert 0.93 <= share <= (0.97 if of_seeds == 0 else 0.99)


def test_crops_of_one_scene_are_not_independent():
    """16 crops of 4 scenes, two equal methods of which each suits some scenes better than the other.

    A paired t-test over the crops tells them apart on three boards of ten. Over the groups it is one in 20.
    """
    rng = np.random.default_rng(0)
    differences = 0.5 * rng.normal(size=(BOARDS, 4, 1)) + 0.3 * rng.normal(size=(BOARDS, 4, 4))
    naive = scipy.stats.ttest_1samp(differences.reshape(BOARDS, 16), 0, axis=1).pvalue
    assert (naive < 0.05).mean() > 0.3
    zero = np.zeros((BOARDS, 1, 4))
    p = estimate(differences.mean(axis=2)[:, None], np.full(4, 4.0), zero).p()
    assert 0.045 < (p < 0.05).mean() < 0.055

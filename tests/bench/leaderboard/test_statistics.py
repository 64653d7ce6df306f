import numpy as np
import pytest
import scipy.stats

from bench.leaderboard.statistics import holm, interval, paired_p, ranks


def named(values):
    return {f"image-{i}": float(value) for i, value in enumerate(values)}


def sample(seed, size=12):
    return np.random.default_rng(seed).normal(28, 2, size)


def test_interval_is_scipys():
    values = sample(0)
    low, high = scipy.stats.t.interval(0.95, len(values) - 1, values.mean(), scipy.stats.sem(values))
    assert interval(named(values)) == pytest.approx((low, high), rel=1e-12)


def test_interval_needs_five_images():
    assert interval(named(sample(0, 4))) is None
    assert interval(named(sample(0, 5))) is not None


def test_paired_p_is_scipys():
    a, b = sample(1), sample(1) + np.random.default_rng(2).normal(0.3, 0.5, 12)
    assert paired_p(named(a), named(b)) == pytest.approx(scipy.stats.ttest_rel(a, b).pvalue, rel=1e-9)


def test_paired_p_uses_the_images_that_both_have():
    a, b = sample(1), sample(2)
    expected = scipy.stats.ttest_rel(a[:8], b[:8]).pvalue
    assert paired_p(named(a), named(b[:8])) == pytest.approx(expected, rel=1e-9)
    assert paired_p(named(a), named(b[:4])) is None


def test_paired_p_of_equal_and_of_shifted_scores():
    a = np.arange(6.0)
    assert paired_p(named(a), named(a)) == 1
    assert paired_p(named(a), named(a + 1)) == 0


def test_holm_by_hand():
    # Sorted .01 .02 .03 .04, times 4 3 2 1, then made increasing: .04 .06 .06 .06.
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []


@pytest.fixture
def scores():
    base = sample(3)
    noise = np.random.default_rng(4).normal(0, 0.3, (4, len(base)))
    levels = {"poor": -5.0, "good": 1.0, "as_good": 1.02, "middle": -2.0}
    return {name: named(base + level + noise[i]) for i, (name, level) in enumerate(levels.items())}


def test_indistinguishable_methods_share_a_rank(scores):
    assert ranks(scores, higher_is_better=True) == {"good": 1, "as_good": 1, "middle": 3, "poor": 4}


def test_ranks_do_not_depend_on_the_order_of_methods(scores):
    backwards = dict(reversed(scores.items()))
    assert ranks(backwards, higher_is_better=True) == ranks(scores, higher_is_better=True)


def test_lower_is_better(scores):
    found = ranks(scores, higher_is_better=False)
    assert found == {"poor": 1, "middle": 2, "good": 3, "as_good": 3}


def test_few_images_are_ranked_by_the_mean_alone():
    scores = {"a": {"head": 84.2}, "b": {"head": 99.3}, "c": {"head": 84.2}}
    assert ranks(scores, higher_is_better=False) == {"a": 1, "c": 1, "b": 3}


def test_a_board_of_one_or_none():
    assert ranks({}, higher_is_better=True) == {}
    assert ranks({"a": named(sample(0))}, higher_is_better=True) == {"a": 1}

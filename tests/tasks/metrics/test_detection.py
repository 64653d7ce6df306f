"""Scores of detection against a brute-force implementation of their definitions, and in every empty case."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import binary_auroc

from bench.evaluation.scores import jackknife
from bench.leaderboard.statistics import mean_interval
from tasks.metrics.detection import (
    APART,
    FAINTEST,
    RATES,
    SLACK,
    auroc,
    candidates,
    cpm,
    froc,
    froc_curve,
    record,
    sensitivity_at,
)

SIDE = 24


def brute_candidates(probability):
    """Pixels that no pixel within `APART` exceeds; maps here have no two equal values, so that there are no ties."""
    found = []
    for i, j in product(range(len(probability)), range(probability.shape[1])):
        near = probability[max(0, i - APART) : i + APART + 1, max(0, j - APART) : j + APART + 1]
        if probability[i, j] == near.max() and probability[i, j] > FAINTEST:
            found.append((i, j))
    return found


def brute_sensitivity(images, rate):
    """The best share of nodules over all thresholds with few enough false positives; an image is (map, nodules)."""
    scored = [(one, brute_candidates(one), nodules) for one, nodules in images]
    thresholds = [*sorted({one[place] for one, places, _ in scored for place in places}), math.inf]
    best, total = 0.0, sum(len(nodules) for *_, nodules in scored)
    for threshold in thresholds:
        hit, wrong = 0, 0
        for one, places, nodules in scored:
            kept = [place for place in places if one[place] >= threshold]
            near = [
                min(
                    (
                        (math.dist(place, nodule[:2]), index)
                        for index, nodule in enumerate(nodules)
                        if math.dist(place, nodule[:2]) <= max(nodule[2], SLACK)
                    ),
                    default=None,
                )
                for place in kept
            ]
            hit += len({index for _, index in filter(None, near)})
            wrong += sum(one is None for one in near)
        if wrong <= rate * len(images):
            best = max(best, hit / total if total else 1.0)
    return best if total else 1.0


def made(rng, count):
    """Random maps with nodules at the borders and inside, where the probability is a little higher."""
    images = []
    for _ in range(count):
        nodules = np.array([(*rng.uniform(0, SIDE - 1, 2), rng.uniform(0.2, 4)) for _ in range(rng.integers(0, 4))])
        nodules = nodules.reshape(-1, 3)
        if len(nodules) and rng.random() < 0.5:
            nodules[0, :2] = rng.choice([0, SIDE - 1], 2)
        one = rng.random((SIDE, SIDE)) * (rng.random((SIDE, SIDE)) < 0.1)
        one += 1e-6 * rng.random((SIDE, SIDE))
        for row, column, _ in nodules:
            if rng.random() < 0.7:
                one[round(row), round(column)] = rng.uniform(0.3, 1)
        images.append((one, nodules))
    return images


def records(images):
    kept = []
    for one, nodules in images:
        padded = np.zeros((5, 3))
        padded[: len(nodules)] = nodules
        kept.append(record(torch.from_numpy(one)[None, None], {"nodules": torch.from_numpy(padded)[None]}, {}))
    return kept


@pytest.mark.parametrize("seed", range(5))
def test_sensitivity_is_that_of_a_search_over_all_thresholds(seed):
    images = made(np.random.default_rng(seed), 12)
    kept = records(images)
    expected = [brute_sensitivity(images, rate) for rate in RATES]
    assert [sensitivity_at(kept, rate) for rate in RATES] == pytest.approx(expected)
    assert cpm(kept) == pytest.approx(np.mean(expected))
    rates, shares = froc(kept)
    assert np.all(np.diff(rates) >= 0)
    assert np.all(np.diff(shares) >= 0)
    assert [shares[rates <= rate].max() for rate in RATES] == pytest.approx(expected)
    curve = froc_curve(kept)
    for rate in RATES:
        assert max(share for count, share in curve.items() if count <= rate * len(kept)) == sensitivity_at(kept, rate)


@pytest.mark.parametrize("seed", range(3))
def test_candidates_are_the_local_maxima(seed):
    for one, _ in made(np.random.default_rng(seed), 4):
        places, confidence = candidates(one)
        assert sorted(map(tuple, places.tolist())) == brute_candidates(one)
        assert confidence.tolist() == [one[tuple(place)] for place in places]


def test_auroc_is_that_of_torchmetrics_with_ties_too():
    rng = np.random.default_rng(0)
    for _ in range(5):
        sick, highest = rng.random(30) < 0.4, rng.integers(0, 8, 30) / 8
        kept = [
            {"found": [0.0] * int(one), "false": [], "highest": value} for one, value in zip(sick, highest, strict=True)
        ]
        expected = binary_auroc(torch.from_numpy(highest), torch.from_numpy(sick).long())
        assert auroc(kept) == pytest.approx(float(expected), abs=1e-6)


def image(probability, *nodules):
    padded = torch.zeros(1, 3, 3, dtype=torch.float64)
    for index, one in enumerate(nodules):
        padded[0, index] = torch.tensor(one, dtype=torch.float64)
    return record(probability.double()[None, None], {"nodules": padded}, {})


def spot(*places):
    one = torch.zeros(SIDE, SIDE)
    for row, column, value in places:
        one[row, column] = value
    return one


def test_several_candidates_in_one_nodule_count_once_by_the_most_confident():
    kept = image(spot((10, 8, 0.4), (10, 12, 0.9), (2, 2, 0.5)), (10, 10, 3))
    assert kept == {"found": [pytest.approx(0.9)], "false": [pytest.approx(0.5)], "highest": pytest.approx(0.9)}


def test_a_candidate_within_two_nodules_finds_the_nearer():
    kept = image(spot((10, 11, 0.8)), (10, 8, 4), (10, 12, 2))
    assert kept["found"] == [0, pytest.approx(0.8)]
    assert kept["false"] == []


@pytest.mark.parametrize(("column", "hit"), [(13, True), (14, False)])
def test_a_hit_lies_within_the_radius(column, hit):
    kept = image(spot((10, column, 0.8)), (10, 10, 3.5))
    assert (len(kept["false"]) == 0) == hit == (kept["found"][0] > 0)


def test_a_nodule_of_less_than_a_pixel_is_hit_by_its_neighbours():
    assert image(spot((10, 10, 0.8)), (10.5, 10.5, 0.3))["found"] == [pytest.approx(0.8)]
    assert image(spot((10, 10, 0.8)), (11.2, 10.0, 0.3))["found"] == [0]


@pytest.mark.parametrize("probability", [torch.zeros(SIDE, SIDE), torch.ones(SIDE, SIDE)])
@pytest.mark.parametrize("sick", [True, False])
def test_no_nodule_no_prediction_and_all_positive_have_defined_scores(probability, sick):
    kept = [image(probability, *([(5, 5, 2)] if sick else [])) for _ in range(4)]
    assert cpm(kept) == (0 if sick else 1)  # a flat map has no candidate
    assert auroc(kept) == 0.5
    for score in (cpm, auroc):
        assert all(math.isfinite(share) for share in jackknife(kept, score))


def test_a_mask_has_a_candidate_in_the_middle_of_each_part():
    rows, columns = np.indices((SIDE, SIDE))
    disc = np.hypot(rows - 8, columns - 9) <= 6
    bar = (rows >= 20) & (columns >= 18)
    mask = torch.from_numpy((disc | bar).astype(float))
    places, confidence = candidates(mask.numpy())
    assert sorted(map(tuple, places.tolist())) == [(8, 9), (21, 20)]
    assert confidence.tolist() == [1, 1]
    assert image(mask, (8, 9, 4)) == {"found": [1.0], "false": [1.0], "highest": 1.0}
    dented = torch.full((SIDE, SIDE), 0.9)
    dented[3, 4] = 0.5
    assert len(candidates(dented.numpy())[0]) == 1


def test_a_perfect_reader_has_one_and_the_border_is_no_exception():
    kept = [image(spot((0, 0, 1.0), (SIDE - 1, SIDE - 1, 0.7)), (0, 0, 1), (SIDE - 1, SIDE - 1, 2)), image(spot())]
    assert cpm(kept) == auroc(kept) == 1


def drawn_slice(rng):
    """The record of a slice: half have 1 to 3 nodules, of which 15 % aren't found."""
    count = rng.integers(1, 4) if rng.random() < 0.5 else 0
    found = [float(value) if rng.random() < 0.85 else 0.0 for value in rng.beta(3, 2, count)]
    false = [float(value) for value in rng.beta(1, 4, rng.poisson(3))]
    return {"found": found, "false": false, "highest": max([0.0, *found, *false])}


def test_the_jackknife_error_of_the_scores_is_their_sampling_error():
    """Against the spread over independent sets of 40 slices, drawn from one law."""
    rng = np.random.default_rng(0)
    for score in (cpm, auroc):
        sets = [[drawn_slice(rng) for _ in range(40)] for _ in range(120)]
        truth = np.std([score(one) for one in sets], ddof=1)
        errors = [np.var(jackknife(one, score), ddof=1) / 40 for one in sets[:25]]
        assert math.sqrt(np.mean(errors)) == pytest.approx(truth, rel=0.2)


@pytest.mark.parametrize("slices", [1, 2], ids=["a group is a slice", "a group is a subject of two alike slices"])
@pytest.mark.parametrize("score", [cpm, auroc])
def test_the_interval_of_a_board_is_that_of_a_bootstrap_over_groups(score, slices):
    """Against the percentiles of the score over sets of groups drawn with replacement, from the records themselves."""
    rng = np.random.default_rng(1)
    ratios = []
    for _ in range(16):
        subjects = [[drawn_slice(rng)] * slices for _ in range(60)]
        images = {f"{subject}-{i}": subject for subject in range(60) for i in range(slices)}
        shares = jackknife([one for subject in subjects for one in subject], score)
        board = mean_interval({0: dict(zip(images, shares, strict=True))}, {i: str(s) for i, s in images.items()})
        again = [score([one for k in rng.integers(0, 60, 60) for one in subjects[k]]) for _ in range(200)]
        low, high = np.quantile(again, [0.025, 0.975])
        ratios.append((board.high - board.low) / (high - low))
    assert 0.95 < np.mean(ratios) < 1.25  # over 40 sets of 300 draws: cpm 1.12 and 1.13, auroc 1.05 and 1.04

"""Scores of sets: the shares of the images have the score as their mean and its uncertainty as their spread."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import toy
from scipy.stats import norm

from bench.contract import registry
from bench.contract.method import Estimate
from bench.evaluation.scores import curves_of_set, jackknife, mean, recorder, scorer, shares


def test_the_shares_of_a_mean_are_the_values():
    values = [3.0, -1.0, 7.5, 2.0]
    assert jackknife(values, lambda some: sum(some) / len(some)) == pytest.approx(values)
    assert jackknife([4.0], sum) == [4.0]


def test_the_spread_of_the_shares_is_the_sampling_error_of_the_score():
    """Against the closed form of the variance of a sample's variance, and of an AUROC of two normal distributions."""
    rng = np.random.default_rng(0)
    n, found = 200, []
    for _ in range(40):
        kept = jackknife(list(rng.normal(size=n)), lambda some: float(np.var(some, ddof=1)))
        found.append(np.var(kept, ddof=1) / n)
    assert np.mean(found) == pytest.approx(2 / (n - 1), rel=0.15)

    def area(records):
        return toy.ordered(records)

    found, truth = [], []
    for _ in range(60):
        sick = rng.random(60) < 0.5
        records = [[float(value), float(one)] for value, one in zip(rng.normal(1.0 * sick), sick, strict=True)]
        truth.append(area(records))
        found.append(np.var(jackknife(records, area), ddof=1) / 60)
    assert np.mean(truth) == pytest.approx(norm.cdf(1 / math.sqrt(2)), abs=0.02)
    assert math.sqrt(np.mean(found)) == pytest.approx(np.std(truth), rel=0.2)


def test_a_finding_is_scored_against_the_target_and_an_absent_part_is_absent():
    x, target = torch.zeros(1, 1, 4, 4).double(), {"map": torch.ones(1, 1, 4, 4).double()}
    finding = torch.ones(1, 1, 4, 4)
    finding[..., 0] = 0
    facts = ("a", Estimate(finding=finding), x, {}, target)
    assert scorer(toy.FINDING)(*facts) == {"overlap": 0.75}
    assert recorder(toy.FINDING)(*facts) == {"ordered": [1.0, 1.0]}
    facts = ("a", Estimate(x + 0.1), x, {}, target)
    assert set(scorer(toy.FINDING)(*facts)) == {"psnr", "mae"}
    assert recorder(toy.FINDING)(*facts) == {}


def test_the_score_of_a_set_is_made_of_its_records():
    metric = toy.FINDING.metrics[1]
    records = [{"ordered": [0.9, 1.0]}, {"ordered": [0.4, 0.0]}, {"ordered": [0.2, 1.0]}]
    assert mean(metric, [{}, {}, {}], records) == 0.5
    kept = shares(toy.FINDING, records)
    assert sum(one["ordered"] for one in kept) / 3 == pytest.approx(0.5)
    assert shares(toy.FINDING, [{}, {}]) == [{}, {}]  # a method without findings has no share
    assert mean(toy.FINDING.metrics[0], [{"overlap": 0.5}, {"overlap": 1.0}], [{}, {}]) == 0.75


def test_metrics_of_images_ask_for_no_target():
    x = torch.rand(1, 1, 4, 4).double()
    track = replace(toy.FINDING, metrics=toy.MINI.metrics)
    assert scorer(track)("a", Estimate(x + 0.1), x, {})["mae"] == pytest.approx(0.1)


def test_the_curves_of_a_metrics_module_are_made_of_the_records_once():
    track = registry.track("nodules")
    one = {"found": [0.9, 0.0], "false": [0.5, 0.2], "highest": 0.9}
    records = [{metric.name: one for metric in track.metrics if metric.record}] * 2
    points = curves_of_set(track, records)
    assert [(point.name, point.step, point.value) for point in points] == [
        ("froc", 0, 0.5),
        ("froc", 2, 0.5),
        ("froc", 4, 0.5),
    ]
    assert curves_of_set(toy.FINDING, [{"ordered": [1.0, 1.0]}]) == []
    assert curves_of_set(track, []) == []

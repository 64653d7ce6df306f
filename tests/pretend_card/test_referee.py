"""Finished runs are scored under shifts, and their findings mapped, on a card as on the processor."""

from dataclasses import replace

import pytest
import torch
import toy

from bench import Method
from bench.contract import registry
from bench.contract.method import Estimate
from bench.contract.task import Shift
from bench.data.measurements import Measured
from bench.evaluation.evaluate import calibrated, mean_score
from bench.observation.observe import seen
from bench.observation.sensitivity_map import sensitivity_maps
from bench.stability.shifts import stress
from tests.pretend_card.card import PROCESSOR, pretend_card

LEVEL = Shift("noise", "standard deviation", {"own": {}, "0.2": {"sigma": 0.2}})


class Halved(Method):
    returns = ("image", "std")

    def forward(self, y, physics):
        x_hat = physics.A_adjoint(y) / 2 + y.mean()
        return Estimate(image=x_hat, std=(x_hat - y).abs() + 0.01)


class Found(Method):
    returns = ("finding",)

    def forward(self, y, physics):
        return Estimate(finding=torch.sigmoid(physics.A_adjoint(y)))


def under_shifts(device):
    track = replace(toy.MINI, shifts=(LEVEL,))
    found = stress(Halved(), track, toy.open_track, 0, device, lambda stage: None)
    return {(shift, point): tried for shift, point, tried in found}


def test_scores_under_shifts():
    here = under_shifts(PROCESSOR)
    with pretend_card() as card:
        there = under_shifts(card)
    assert there.keys() == here.keys()
    for place, tried in there.items():
        assert not isinstance(tried, Exception), tried
        assert tried[0] == pytest.approx(here[place][0], rel=1e-4), place


def test_a_sensitivity_map():
    def maps(device):
        return list(sensitivity_maps(Found(), toy.FINDING, toy.open_track(toy.FINDING), 0, device))

    here = maps(PROCESSOR)
    with pretend_card() as card:
        there = maps(card)
    for one, other in zip(here, there, strict=True):
        assert torch.allclose(other.values.cpu(), one.values, rtol=1e-3, atol=1e-6)


def test_a_score_and_a_calibration():
    problem = toy.open_track(toy.MINI)
    data = Measured(toy.MINI, problem, "val")

    def both(device):
        score = mean_score(Halved().to(device), toy.MINI, data, range(len(data)), device, seed=0)
        return score, calibrated(Halved(), toy.MINI, problem, 0, device, 0, 1).factors

    here = both(PROCESSOR)
    with pretend_card() as card:
        there = both(card)
    assert there[0] == pytest.approx(here[0], rel=1e-5)
    assert there[1] == pytest.approx(here[1], rel=1e-5)


def test_observers_work_on_a_card():
    for name in ("ct:mini", "mri:mini"):
        observer = registry.track(name).observer
        assert observer is not None
        network = registry.resolve(observer.network)(observer.weights).eval()
        x = torch.rand(1, seen(observer).channels, 64, 64)
        expected = network(x)
        with pretend_card() as card:
            assert torch.allclose(network.to(card)(x.to(card)).cpu(), expected, atol=1e-5)

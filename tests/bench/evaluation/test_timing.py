"""Time is measured by repeats of the first images, after a warm-up."""

import time

import pytest
import torch
import toy

from bench.contract.method import Method
from bench.evaluation import timing
from bench.evaluation.timing import IMAGES, REPEATS, measure


class Sleeper(Method):
    """Takes its time: longer when it is called first."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, y, physics):
        self.calls += 1
        time.sleep(0.2 if self.calls == 1 else 0.02)
        return y


def test_seconds_are_those_of_one_image_without_the_warm_up():
    method = Sleeper()
    cost = measure(method, toy.MINI, toy.open_track(toy.MINI), torch.device("cpu"), 0)
    assert (cost.repeats, cost.images, method.calls) == (REPEATS, IMAGES, 1 + REPEATS * IMAGES)
    assert 0.02 <= cost.seconds < 0.15
    assert cost.spread >= 0
    assert cost.load >= 0


def test_a_slow_method_is_timed_twice_at_the_least(monkeypatch):
    monkeypatch.setattr(timing, "PATIENCE", 0.0)
    cost = measure(Sleeper(), toy.MINI, toy.open_track(toy.MINI), torch.device("cpu"), 0)
    assert cost.repeats == 2
    assert cost.seconds == pytest.approx(0.02, abs=0.1)

"""A run is tuned on validation images, defaults first, within its budget and time; values asked for are not."""

import sys
import time
from pathlib import Path

import pytest
import toy
from toy_runs import do, read

from bench.contract import registry
from bench.contract.task import Budget
from bench.data.measurements import Measured

pytestmark = pytest.mark.usefixtures("toys", "store", "sandbox")


def test_tuning_spends_the_budget_defaults_first_and_uses_the_best(shrink):
    folder, result = do(shrink)
    trials = read(folder, "trials.json")
    assert len(trials) == result.tuning["trials"] == 3
    assert result.tuning["images"] == 2
    assert trials[0]["hyperparameters"] == {"factor": 0.9}
    best = max(trials, key=lambda trial: trial["score"])
    assert result.hyperparameters == best["hyperparameters"]
    assert result.requested == {}
    chosen = [[trial["hyperparameters"] for trial in read(do(shrink, seed=seed)[0], "trials.json")] for seed in (0, 1)]
    assert chosen[0] == [trial["hyperparameters"] for trial in trials]
    assert chosen[0] != chosen[1]


def test_defaults_are_run_as_they_are_on_request(shrink):
    folder, result = do(shrink, control="defaults")
    assert read(folder, "trials.json") == []
    assert result.hyperparameters == {"factor": 0.9}
    assert (result.protocol, result.label, result.control) == (False, "defaults", "defaults")
    assert result.per_image == do(shrink, hyperparameters={"factor": 0.9})[1].per_image


def test_an_oracle_is_tuned_on_the_test_split(tmp_path):
    """A method that knows the images of the test split by their mean."""
    body = toy.SHRINK.replace("return self.factor * y", "SEEN.add(round(float(y.mean()), 6))\n        return y")
    path = Path(toy.method_file(tmp_path, "spy", body))
    path.write_text(path.read_text().replace("class Toy", "SEEN = set()\n\n\nclass Toy"))
    data = {
        split: {round(float(sample.y.mean()), 6) for sample in Measured(toy.MINI, toy.open_track(toy.MINI), split)}
        for split in ("val", "test")
    }
    seen = {}
    for control in ("", "oracle"):
        result = do(str(path), control=control)[1]
        assert result.status == "ok"
        seen[control] = sys.modules["reconbench_external_spy"].SEEN
        assert (result.protocol, result.label, result.control) == (not control, control, control)
        assert result.tuning["trials"] == 3
    assert seen["oracle"] == data["test"]
    assert seen[""] & data["val"]


def test_an_oracle_scores_no_worse_than_what_validation_chose(shrink):
    tuned, oracle = (do(shrink, control=control)[1].mean("psnr") for control in ("", "oracle"))
    assert oracle >= tuned


def test_what_is_asked_for_is_not_tuned_and_needs_a_label(shrink):
    folder, result = do(shrink, hyperparameters={"factor": 0.5})
    assert read(folder, "trials.json") == []
    assert (result.protocol, result.label) == (False, "factor=0.5")
    assert result.hyperparameters == result.requested == {"factor": 0.5}


def test_failed_trials_are_recorded_and_the_others_count(tmp_path):
    body = toy.SHRINK.replace("return", "assert self.factor < 0.9, 'too large'\n        return")
    folder, result = do(toy.method_file(tmp_path, "picky", body))
    trials = read(folder, "trials.json")
    first = trials[0]
    assert (first["state"], first["reason"], first["score"]) == ("failed", "AssertionError: too large", None)
    assert result.status == "ok"
    assert len(trials) == 3


def test_when_all_trials_fail_so_does_the_run_and_they_are_kept(tmp_path):
    body = toy.SHRINK.replace("return self.factor * y", "return y * float('nan')")
    folder, result = do(toy.method_file(tmp_path, "hopeless", body))
    assert result.status == "failed"
    assert result.reason.startswith("all 3 tuning trials failed; the first: ")
    assert "on image val-0 the method returned NaN" in result.reason
    assert [trial["state"] for trial in read(folder, "trials.json")] == ["failed"] * 3


def test_a_run_has_a_time_for_its_trials_and_slow_ones_are_failed_trials(tmp_path, monkeypatch):
    """Of a budget of two seconds a trial may take half a second. The defaults are slow, other values are not."""
    track = toy.track("mini", budget=Budget(trials=4, images=2, seconds=2.0))
    monkeypatch.setattr(registry, "track", lambda name: track)
    body = toy.SHRINK.replace("return", "time.sleep(0.6 * (self.factor == 0.9))\n        return")
    folder, result = do(toy.method_file(tmp_path, "slow", body))
    trials = read(folder, "trials.json")
    assert [trial["state"] for trial in trials] == ["failed", "ok", "ok", "ok"]
    assert trials[0]["reason"] == "OverTime: the trial went over its time"
    assert result.status == "ok"


def test_tuning_that_goes_over_the_time_of_the_run_is_a_failed_run(tmp_path, monkeypatch):
    track = toy.track("mini", budget=Budget(trials=9, images=2, seconds=0.5))
    monkeypatch.setattr(registry, "track", lambda name: track)
    body = toy.SHRINK.replace("return", "time.sleep(0.2)\n        return")
    start = time.monotonic()
    result = do(toy.method_file(tmp_path, "slow", body))[1]
    assert (result.status, result.per_image) == ("failed", {})
    assert "went over its time" in result.reason
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("number", ["np.float64(0.5)", "torch.tensor(0.5)", "np.int64(1)"])
def test_hyperparameters_may_be_numbers_of_numpy_or_torch(tmp_path, number):
    body = toy.SHRINK.replace('search_space = {"factor": Float(0.1, 1.0)}', "import numpy as np")
    _, result = do(toy.method_file(tmp_path, "scalar", body.replace("float = 0.9", f"float = {number}")))
    assert result.status == "ok"
    assert result.hyperparameters in ({"factor": 0.5}, {"factor": 1})

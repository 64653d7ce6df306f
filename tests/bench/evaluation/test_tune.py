"""Every method gets the same number of trials, its defaults first; what fails is kept with its reason."""

import time

import pytest

from bench.contract.space import Choice, Float, Int
from bench.errors import BenchError, OverTime
from bench.evaluation.tune import Trial, best, suggest, tune

SPACE = {"a": Float(0.0, 1.0), "n": Int(1, 9), "word": Choice(("left", "right"))}


def parabola(chosen):
    return (chosen["a"] - 0.3) ** 2


def search(objective=parabola, space=SPACE, start=None, trials=6, maximise=False, seed=0):
    return tune(objective, space, start or {}, trials=trials, maximise=maximise, seed=seed)


def test_the_budget_is_spent_and_not_exceeded():
    calls = []
    trials = search(lambda chosen: calls.append(chosen) or 1.0)
    assert len(trials) == len(calls) == 6
    assert [trial.number for trial in trials] == list(range(6))
    assert [trial.hyperparameters for trial in trials] == calls


def test_the_defaults_are_tried_first():
    start = {"a": 0.75, "n": 4, "word": "right"}
    assert search(start=start)[0].hyperparameters == start


def test_all_choices_are_inside_the_space():
    for trial in search(trials=8):
        chosen = trial.hyperparameters
        assert 0 <= chosen["a"] <= 1
        assert isinstance(chosen["n"], int)
        assert 1 <= chosen["n"] <= 9
        assert chosen["word"] in ("left", "right")


def test_a_logarithmic_range_is_searched_by_its_logarithm():
    trials = search(lambda chosen: 0.0, {"a": Float(1e-6, 1.0, log=True)}, trials=4)
    assert any(trial.hyperparameters["a"] < 1e-2 for trial in trials)


def test_a_seed_gives_the_same_trials_again():
    first, again, other = search(seed=3), search(seed=3), search(seed=4)
    assert [t.hyperparameters for t in first] == [t.hyperparameters for t in again]
    assert [t.hyperparameters for t in first] != [t.hyperparameters for t in other]


@pytest.mark.parametrize("maximise", [False, True])
def test_the_best_trial_comes_closer_than_the_defaults(maximise):
    sign = -1 if maximise else 1
    trials = search(lambda chosen: sign * parabola(chosen), {"a": Float(0.0, 1.0)}, {"a": 1.0}, 8, maximise)
    chosen = best(trials, maximise).hyperparameters["a"]
    assert abs(chosen - 0.3) < 0.1


def test_failed_trials_are_kept_with_their_reason_and_never_chosen():
    def objective(chosen):
        if chosen["n"] > 4:
            raise ValueError("too many\nof them")
        return float(chosen["n"])

    trials = search(objective, {"n": Int(1, 9)}, {"n": 9}, trials=8)
    assert (trials[0].state, trials[0].score, trials[0].reason) == ("failed", None, "ValueError: too many")
    assert len(trials) == 8
    assert {trial.state for trial in trials} == {"ok", "failed"}
    assert best(trials, maximise=True).hyperparameters["n"] <= 4


def test_a_trial_without_a_score_has_failed():
    space = {"a": Float(0.0, 1.0)}
    trials = search(lambda chosen: float("nan") if chosen["a"] == 1 else 1.0, space, {"a": 1.0}, trials=3)
    assert (trials[0].state, trials[0].score) == ("failed", None)
    assert best(trials, maximise=True).score == 1.0


def test_when_all_trials_fail_the_first_reason_is_told():
    def objective(chosen):
        raise BenchError("on image val-0 the method returned NaN or infinite values.")

    with pytest.raises(BenchError, match=r"all 6 tuning trials failed; the first: .*on image val-0"):
        best(search(objective), maximise=True)


def test_a_slow_trial_has_failed_and_a_search_past_its_time_ends():
    def slow(chosen):
        raise OverTime("the trial went over its time")

    ended = tune(slow, SPACE, {}, trials=3, maximise=True, seed=0, deadline=time.monotonic() + 60)
    assert [(trial.state, trial.reason) for trial in ended] == [
        ("failed", "OverTime: the trial went over its time")
    ] * 3
    with pytest.raises(OverTime, match="it went over its time in trial 1 of 3"):
        tune(slow, SPACE, {}, trials=3, maximise=True, seed=0, deadline=time.monotonic() - 1)


def test_among_equals_the_earliest_is_best():
    trials = [Trial(i, {"a": i}, score, 0.0, "ok") for i, score in enumerate([1.0, 2.0, 2.0])]
    assert best(trials, maximise=True).number == 1
    assert best(trials, maximise=False).number == 0


def test_suggestions_are_asked_for_by_kind():
    class Echo:
        def suggest_float(self, name, low, high, log):
            return low

        suggest_int = suggest_float

        def suggest_categorical(self, name, values):
            return values[-1]

    assert suggest(Echo(), SPACE) == {"a": 0.0, "n": 1, "word": "right"}

"""Hyperparameters by their score on the validation split: the same number of trials and images for every method."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.contract.space import Choice, Float, Int, Range
from bench.errors import BenchError, OverTime

STARTUP_TRIALS = 4  # the defaults and seeded random points, before the sampler models the score


@dataclass(frozen=True)
class Trial:
    """One evaluated choice of hyperparameters."""

    number: int
    hyperparameters: dict[str, Any]
    score: float | None
    seconds: float
    state: str  # ok or failed
    reason: str = ""


def suggest(trial: Any, space: Mapping[str, Range]) -> dict[str, Any]:
    """Hyperparameters from an Optuna trial."""
    chosen: dict[str, Any] = {}
    for name, values in space.items():
        match values:
            case Float(low, high, log):
                chosen[name] = trial.suggest_float(name, low, high, log=log)
            case Int(low, high, log):
                chosen[name] = trial.suggest_int(name, low, high, log=log)
            case Choice(options):
                chosen[name] = trial.suggest_categorical(name, list(options))
    return chosen


def tune(
    objective: Callable[[dict[str, Any]], float],
    space: Mapping[str, Range],
    start: Mapping[str, Any],
    *,
    trials: int,
    maximise: bool,
    seed: int,
    deadline: float = math.inf,
    report: Callable[[str], None] = lambda stage: None,
    ended: Callable[[Trial], None] = lambda trial: None,
) -> list[Trial]:
    """Evaluate ``objective`` at ``start`` and then where Optuna's Gaussian-process sampler suggests.

    A trial that raises has failed and is kept with its reason. Each is given to ``ended`` when it has ended. Returns
    all trials; `best` picks one. Raises `OverTime` when `time.monotonic()` passes the ``deadline``.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.GPSampler(seed=seed, n_startup_trials=STARTUP_TRIALS, deterministic_objective=True)
    study = optuna.create_study(direction="maximize" if maximise else "minimize", sampler=sampler)
    if start:
        study.enqueue_trial(dict(start))
    done: list[Trial] = []
    for number in range(trials):
        report(f"tuning {number + 1}/{trials}")
        ask = study.ask()
        hyperparameters = suggest(ask, space)
        begin = time.perf_counter()
        try:
            score: float | None = float(objective(hyperparameters))
            state, reason = "ok", ""
            study.tell(ask, score)
        except Exception as error:
            if time.monotonic() > deadline:
                raise OverTime(f"it went over its time in trial {number + 1} of {trials}") from error
            score, state, reason = None, "failed", f"{type(error).__name__}: {error}".partition("\n")[0]
            study.tell(ask, state=optuna.trial.TrialState.FAIL)
        done.append(Trial(number, hyperparameters, score, time.perf_counter() - begin, state, reason))
        ended(done[-1])
    return done


def best(trials: list[Trial], maximise: bool) -> Trial:
    """The trial of best score, the earliest among equals; a `BenchError` where every one failed."""
    scored = [trial for trial in trials if trial.score is not None]
    if not scored:
        raise BenchError(f"all {len(trials)} tuning trials failed; the first: {trials[0].reason}")
    return (max if maximise else min)(scored, key=lambda trial: trial.score or 0.0)

"""Scores of the device against the CPU's, for the same weights and hyperparameters, image by image.

Learned methods are trained once, by `references`, and evaluated here from that checkpoint. On a machine without a GPU
two threads are compared with one: the same sums in another order.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from bench.engines.grid import run_grid
from bench.engines.local import LocalEngine
from bench.runs.records import Result
from bench.runs.spec import Spec
from tests.gpu_check import scores
from tests.gpu_check.plan import OutOfTime, Plan
from tests.gpu_check.report import FAILED, OK, Row
from tests.gpu_check.scores import DECIBELS, RELATIVE, Pair

GOAL = f"at most {DECIBELS} dB, or {RELATIVE:.2%} of other scores"


def rows(plan: Plan) -> Iterator[Row]:
    engine = LocalEngine(plan.jobs, plan.visible)
    references = scores.specs(plan, engine, "cpu", 1, None, print)
    keys = {
        pair: spec.key for pair, spec in references.items() if spec.method.learned and scores.result(spec) is not None
    }
    threads = 1 if plan.device == "cuda" else 2
    os.environ["BENCH_THREADS"] = str(threads)  # of the processes of the engine
    specs = scores.specs(plan, engine, plan.device, threads, keys, print)
    try:
        run_grid(list(specs.values()), engine)
    except OutOfTime:
        print("out of time: what is done is compared")
    yield from compare(references, specs)


def compare(references: Mapping[Pair, Spec], specs: Mapping[Pair, Spec]) -> Iterator[Row]:
    """A row for each method, and one for each pair that does not agree."""
    by_method: dict[str, list[tuple[str, dict[str, float]]]] = {}
    for pair, spec in specs.items():
        track, method = pair
        one, other = scores.result(references[pair]), scores.result(spec)
        if one is None:
            continue  # which `references` has told
        if other is None:
            yield Row(FAILED, f"{method} on {track}", scores.reason(spec))
            continue
        found = scores.differences(one, other)
        by_method.setdefault(method, []).append((track, found))
        if max(found.values()) > 1:
            yield Row(FAILED, f"{method} on {track}", apart(one, other, found), GOAL)
    for method, pairs in by_method.items():
        track, worst = max(pairs, key=lambda pair: max(pair[1].values()))
        most = max(worst.values())
        details = {"share_of_tolerance": dict(pairs)}
        found = f"{len(pairs)} tracks, at most {most * DECIBELS:.4f} dB or as much ({track})"
        yield Row(OK if most <= 1 else FAILED, method, found, details=details)


def apart(one: Result, other: Result, found: Mapping[str, float]) -> str:
    name = max(found, key=lambda metric: found[metric])
    unit = one.metrics[name].unit
    return f"{name} {one.mean(name):.4f} on the CPU, {other.mean(name):.4f} {unit} here".replace("  ", " ")

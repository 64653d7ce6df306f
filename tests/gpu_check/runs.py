"""`bench run` on the device: every method once, on the first mini track that it supports, through the users' engine."""

from __future__ import annotations

import os
from collections.abc import Iterator

from bench.engines.local import LocalEngine
from bench.engines.pending_runs import run_grid
from tests.gpu_check import scores
from tests.gpu_check.plan import OutOfTime, Plan, stop_clock
from tests.gpu_check.report import FAILED, OK, Row
from tests.gpu_check.scores import GOAL, Pair


def rows(plan: Plan) -> Iterator[Row]:
    engine = LocalEngine(plan.jobs, plan.visible)
    references = scores.specs(plan, engine, "cpu", 1, None, print)
    keys = {pair: spec.key for pair, spec in references.items() if scores.result(spec) is not None}
    threads = 1 if plan.device == "cuda" else 2
    os.environ["BENCH_THREADS"] = str(threads)  # of the processes of the engine
    every = scores.specs(plan, engine, plan.device, threads, keys, print)
    first: dict[str, Pair] = {}
    for track, method in every:
        if (track, method) in keys:
            first.setdefault(method, (track, method))
    try:
        run_grid([every[pair] for pair in first.values()], engine)
    except OutOfTime:
        stop_clock()
        print("out of time")
    good = 0
    for method, pair in first.items():
        one, reference = scores.result(every[pair]), scores.result(references[pair])
        if one is None or reference is None:
            yield Row(FAILED, f"{method} on {pair[0]}", scores.reason(every[pair]))
            continue
        apart = scores.differences(reference, one.per_image)
        if max(apart.values()) <= 1:
            good += 1
        else:
            yield Row(FAILED, f"{method} on {pair[0]}", scores.worst(reference, one.per_image, apart), GOAL)
    results = [one for pair in first.values() if (one := scores.result(every[pair])) is not None]
    loose = sorted({name for one in results for name in one.nondeterministic})
    found = f"{good} of {len(scores.methods(plan))} methods ran and agree with the CPU"
    yield Row(OK if good == len(scores.methods(plan)) else FAILED, "runs", found, details={"nondeterministic": loose})

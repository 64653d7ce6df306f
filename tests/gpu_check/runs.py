"""`bench run` on the device: some methods of every family on the first mini track that they support.

`agreement` compares all methods; here they go through the users' engine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from bench.engines.local import LocalEngine
from bench.engines.pending_runs import run_grid
from tests.gpu_check import scores
from tests.gpu_check.plan import OutOfTime, Plan, stop_clock
from tests.gpu_check.report import FAILED, OK, Row
from tests.gpu_check.scores import GOAL, Pair

OF_A_FAMILY = 3  # methods


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
    families: dict[str, list[str]] = {}
    for method, pair in first.items():
        families.setdefault(every[pair].method.family, []).append(method)
    first = {method: first[method] for family in families.values() for method in family[:OF_A_FAMILY]}
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
    found = f"{good} of {len(first)} methods ran and agree with the CPU"
    yield Row(OK if first and good == len(first) else FAILED, "runs", found, details={"nondeterministic": loose})

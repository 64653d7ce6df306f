"""The scores that the device must reproduce: every method on a mini track of every task, on the CPU, on one thread."""

from __future__ import annotations

from collections.abc import Iterator

from bench.engines.local import LocalEngine
from bench.engines.pending_runs import run_grid
from tests.gpu_check import scores
from tests.gpu_check.plan import OutOfTime, Plan, stop_clock
from tests.gpu_check.report import FAILED, OK, Row


def rows(plan: Plan) -> Iterator[Row]:
    told: list[str] = []
    engine = LocalEngine(plan.jobs)
    specs = scores.specs(plan, engine, "cpu", 1, None, told.append)
    for line in told:
        yield Row(FAILED, "described", line)
    try:
        run_grid(list(specs.values()), engine)
    except OutOfTime:
        stop_clock()
        print("out of time")
    missing = {pair: spec for pair, spec in specs.items() if scores.result(spec) is None}
    late = [spec for spec in missing.values() if scores.reason(spec) == scores.LATE]
    found = f"{len(specs) - len(missing)} of {len(specs)}" + (f", {len(late)} were not done in time" if late else "")
    yield Row(FAILED if missing else OK, "runs on the CPU", found)
    for (track, method), spec in missing.items():
        if spec not in late:
            yield Row(FAILED, f"{method} on {track}", scores.reason(spec))

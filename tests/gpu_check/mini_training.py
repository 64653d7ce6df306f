"""Training of each learned method on a mini track that it supports: `training` says how."""

from __future__ import annotations

from collections.abc import Iterator

from bench.engines.local import LocalEngine
from tests.gpu_check.plan import Plan
from tests.gpu_check.report import FAILED, Row
from tests.gpu_check.training import LIMIT, ONLY, STARTING, on_minis, trained


def rows(plan: Plan) -> Iterator[Row]:
    answer = LocalEngine(1).call(on_minis, ONLY if plan.short else (), seconds=LIMIT)
    if answer.error:
        yield Row(FAILED, "methods and tracks", answer.error)
        return
    yield from trained(plan, answer.value, STARTING)

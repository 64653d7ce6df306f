"""The referee: it knows no task and no method by name.

Start with `contract` (what tasks and methods promise), then follow a run: `runs.spec` freezes it, `engines` start it,
`evaluation` tunes, trains and scores it, `runs.run_directory` keeps it, `tracking` mirrors it to MLflow, `leaderboard`
publishes it; `stability` scores it again under shifts, `observation` by the findings in its images. `task_checks` puts
tasks to their contract. Imports run downwards: cli, engines, tracking, leaderboard, runs, observation and stability,
evaluation, data, contract.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.contract.space import Choice, Float, Int, Range
from bench.contract.task import Budget, Images, Metric, Problem, Sample, Task, Track
from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.contract.method import Estimate, LearnedMethod, Method
    from bench.contract.operators import direct, operator_norm
    from bench.contract.registry import load_method

HEAVY = {
    "Estimate": "bench.contract.method",
    "LearnedMethod": "bench.contract.method",
    "Method": "bench.contract.method",
    "direct": "bench.contract.operators",
    "load_method": "bench.contract.registry",
    "operator_norm": "bench.contract.operators",
}

__all__ = [
    "BenchError",
    "Budget",
    "Choice",
    "Estimate",
    "Float",
    "Images",
    "Int",
    "LearnedMethod",
    "Method",
    "Metric",
    "Problem",
    "Range",
    "Sample",
    "Task",
    "Track",
    "direct",
    "load_method",
    "operator_norm",
]


def __getattr__(name: str) -> Any:
    """Import what needs torch on first use, so that listing tasks and methods stays instant."""
    if name in HEAVY:
        from importlib import import_module

        return getattr(import_module(HEAVY[name]), name)
    raise AttributeError(f"module 'bench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

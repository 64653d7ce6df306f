"""The referee: it knows no task and no method by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.errors import BenchError
from bench.space import Choice, Float, Int, Range
from bench.task import Budget, Images, Metric, Problem, Sample, Task, Track

if TYPE_CHECKING:
    from bench.method import Estimate, LearnedMethod, Method
    from bench.operators import direct, operator_norm

HEAVY = {
    "Estimate": "bench.method",
    "LearnedMethod": "bench.method",
    "Method": "bench.method",
    "direct": "bench.operators",
    "operator_norm": "bench.operators",
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
    "operator_norm",
]


def __getattr__(name: str) -> Any:
    """Import what needs torch on first use, so that listing tasks and methods stays instant."""
    if name in HEAVY:
        from importlib import import_module

        return getattr(import_module(HEAVY[name]), name)
    raise AttributeError(f"module 'bench' has no attribute {name!r}")

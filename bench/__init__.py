"""The referee: it knows no task and no method by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.contract.space import Choice, Float, Int, Range
from bench.contract.task import Budget, Images, Metric, Problem, Sample, Task, Track
from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.contract.method import Estimate, LearnedMethod, Method
    from bench.contract.operators import direct, operator_norm

HEAVY = {
    "Estimate": "bench.contract.method",
    "LearnedMethod": "bench.contract.method",
    "Method": "bench.contract.method",
    "direct": "bench.contract.operators",
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
    "operator_norm",
]


def __getattr__(name: str) -> Any:
    """Import what needs torch on first use, so that listing tasks and methods stays instant."""
    if name in HEAVY:
        from importlib import import_module

        return getattr(import_module(HEAVY[name]), name)
    raise AttributeError(f"module 'bench' has no attribute {name!r}")

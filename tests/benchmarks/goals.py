"""The table of `make bench`: each ratio beside its goal, and "falls short" beside a ratio that misses it."""

from __future__ import annotations

import operator
from collections.abc import Iterable

from tests.benchmarks.timing import Row

BOUNDS = {"at least": operator.ge, "at most": operator.le, "above": operator.gt}


def falls_short(ratio: float, goal: str) -> bool:
    """Whether ``ratio`` misses a ``goal`` such as "at least 4". NaN misses every goal, and nothing misses ""."""
    bound, _, number = goal.rpartition(" ")
    return bool(goal) and not BOUNDS[bound](ratio, float(number))


def report(rows: Iterable[Row]) -> bool:
    """Prints the rows as they come, and tells whether all goals are met."""
    met = True
    print(f"{'ratio':>8}  {'goal':14} {'':11}  what")
    for name, ratio, goal in rows:
        short = falls_short(ratio, goal)
        met &= not short
        print(f"{ratio:8.3g}  {goal:14} {'falls short' if short else '':11}  {name}", flush=True)
    return met

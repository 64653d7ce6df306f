"""Fair times on a shared machine: calls in turns, the least of several rounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

Row = tuple[str, float, str]  # what is compared, the ratio, what is expected of it


def alternate(calls: Mapping[str, Callable[[], object]], rounds: int = 7) -> dict[str, float]:
    """Seconds of each call, the least of ``rounds`` turns: what a shared machine slows down it slows down for all."""
    for call in calls.values():
        call()
    seconds = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    return seconds

"""Fair times on a shared machine: calls in turns, over several rounds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch

Row = tuple[str, float, str]  # what is compared, the ratio, its goal as `goals.falls_short` reads it, or ""


@contextmanager
def threads(count: int) -> Iterator[None]:
    """PyTorch on ``count`` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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


def paired_ratio(
    call: Callable[[], object],
    peer: Callable[[], object],
    rounds: int = 5,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """The median over ``rounds`` of the time of ``call`` over that of ``peer`` right beside it, each first in turn.

    For a ratio near one: the least of several times depends on which call had the machine's best moment. With
    `time.process_time` as the ``clock``, waiting for a core that other programs use does not count.
    """

    def seconds(function: Callable[[], object]) -> float:
        start = clock()
        function()
        return clock() - start

    call()
    peer()
    ratios = []
    for i in range(rounds):
        if i % 2:
            first = seconds(call)
            ratios.append(first / seconds(peer))
        else:
            first = seconds(peer)
            ratios.append(seconds(call) / first)
    return statistics.median(ratios)

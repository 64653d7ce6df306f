"""Times of calls on a device, in turns: what slows the machine down slows all of them down."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import torch

ROUNDS = 5
AT_LEAST = 0.03  # seconds of a round, filled with repeats
MOST = 200  # repeats
AT_MOST = 6.0  # seconds of all rounds of one call


def seconds_each(calls: Mapping[str, Callable[[], object]], device: str) -> dict[str, float]:
    """Seconds of each call, the least over the rounds of the mean over its repeats."""
    repeats, rounds = {}, ROUNDS
    for name, call in calls.items():
        once(call, device)
        once(call, device)
        seconds = max(once(call, device), 1e-6)
        repeats[name] = min(MOST, max(1, round(AT_LEAST / seconds)))
        rounds = min(rounds, max(1, int(AT_MOST / (seconds * repeats[name]))))
    found = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            found[name] = min(found[name], once(call, device, repeats[name]))
    return found


def once(call: Callable[[], object], device: str, repeats: int = 1) -> float:
    """Seconds of a call, the mean over ``repeats`` that the device may queue."""
    wait(device)
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    wait(device)
    return (time.perf_counter() - start) / repeats


def wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()

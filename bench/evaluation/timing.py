"""Time and memory of a reconstruction, measured by repeats while nothing else of the command works."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from statistics import median

import torch

from bench.contract.method import Method
from bench.contract.task import Problem, Track
from bench.data.measurements import Measured, collate
from bench.evaluation.evaluate import given, physics_for, reconstruct, seeded, synchronise
from bench.evaluation.resources import Monitor

REPEATS = 5  # of each image, fewer where they take long
IMAGES = 2  # the first test images
PATIENCE = 20.0  # seconds after which no further repeat starts; an image is timed twice at the least


@dataclass(frozen=True)
class Cost:
    """Seconds per image as the median over repeats, their spread, and bytes."""

    seconds: float
    spread: float
    repeats: int
    images: int
    peak_memory: int | None
    load: float  # mean number of processes that wanted a processor in the minute before


def measure(method: Method, track: Track, problem: Problem, device: torch.device, seed: int) -> Cost:
    """Reconstruct the first test images again and again, after a warm-up, with one look at the memory apart."""
    data = Measured(track, problem, "test", IMAGES, keep=True)
    samples = [data[index] for index in range(len(data))]  # made before anything is measured
    load = os.getloadavg()[0]
    method.to(device).eval()

    def once(index: int) -> float:
        (name,), x, y, params = collate([samples[index]])
        physics, measured = physics_for(problem, params, device), given(method, x, y, device)
        synchronise(device)
        start = time.perf_counter()
        with torch.no_grad(), seeded(seed, track.id, name):
            reconstruct(method, measured, physics, x.shape, name, track)
        synchronise(device)
        return time.perf_counter() - start

    with Monitor() as monitor:
        monitor.reset_peak()
        once(0)  # the warm-up; the first call also allocates what later ones reuse
        memory = monitor.peak_memory()
    begun = time.monotonic()
    rounds: list[float] = []
    while len(rounds) < REPEATS and (len(rounds) < 2 or time.monotonic() - begun < PATIENCE):
        rounds.append(math.fsum(once(index) for index in range(len(samples))) / len(samples))
    return Cost(median(rounds), max(rounds) - min(rounds), len(rounds), len(data), memory or None, load)

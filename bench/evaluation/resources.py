"""System metrics while a run works: a thread that samples processor, memory and GPU."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

import psutil
import torch

from bench.evaluation.curves import CurvePoint

FAST = 0.02  # seconds between looks at the resident size, for its peak
SLOW = 1.0  # seconds between points of the curves
SPARE = 0.25  # of a GPU's memory, which a process may reserve without using it


class Monitor:
    """Samples in the background between ``with Monitor() as monitor`` and its end.

    Each point is also given to ``point``, from the thread that samples.
    """

    def __init__(self, point: Callable[[CurvePoint], None] = lambda point: None) -> None:
        self.curves: list[CurvePoint] = []
        self.point = point
        self.process = psutil.Process()
        self.baseline = self.peak = self.process.memory_info().rss
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self.process.cpu_percent()
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.thread.join()

    def reset_peak(self) -> None:
        """Count the rise of memory from here."""
        self.baseline = self.peak = self.process.memory_info().rss
        if torch.cuda.is_initialized():
            torch.cuda.reset_peak_memory_stats()

    def peak_memory(self) -> int:
        """Bytes since `reset_peak`: allocated on the GPU where one is used, else the rise of the resident size."""
        if torch.cuda.is_initialized():
            return torch.cuda.max_memory_allocated()
        return max(0, max(self.peak, self.process.memory_info().rss) - self.baseline)

    def _sample(self) -> None:
        start = time.monotonic()
        next_point = 0.0
        while not self.stopped.wait(FAST):
            memory = self.process.memory_info().rss
            self.peak = max(self.peak, memory)
            elapsed = time.monotonic() - start
            if elapsed >= next_point:
                values = {"cpu_percent": self.process.cpu_percent(), "memory_bytes": memory, **gpu()}
                for name, value in values.items():
                    self.curves.append(CurvePoint(f"system/{name}", int(elapsed), time.time(), float(value)))
                    self.point(self.curves[-1])
                next_point = elapsed + SLOW


def give_back_spare_memory(device: torch.device) -> None:
    """Give memory of a GPU back that is reserved and not used, once it is much: recorded steps keep theirs."""
    if device.type != "cuda":
        return
    spare = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    if spare > SPARE * torch.cuda.get_device_properties(device).total_memory:
        torch.cuda.empty_cache()


def gpu() -> dict[str, float]:
    """Memory that PyTorch has allocated on the GPU, and the GPU's busy share where its driver's library tells."""
    if not torch.cuda.is_initialized():
        return {}
    values = {"gpu_memory_bytes": float(torch.cuda.memory_allocated())}
    with suppress(Exception):  # without the driver's Python library
        values["gpu_percent"] = float(torch.cuda.utilization())
    return values

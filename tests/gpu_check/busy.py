"""The share of the time in which the card works, sampled in the background through NVIDIA's management library."""

from __future__ import annotations

import threading
from typing import Self

EVERY = 0.1  # seconds between samples
BEFORE = 1.0  # seconds of which a sample may tell: the first ones tell of what came before


class Busy:
    """``with Busy(device) as busy``: afterwards `share` is the mean in percent, or None where it can't be seen."""

    def __init__(self, device: str) -> None:
        self.samples: list[int] = []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._sample, daemon=True) if device == "cuda" else None

    def __enter__(self) -> Self:
        if self.thread:
            self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        if self.thread:
            self.thread.join()

    @property
    def share(self) -> float | None:
        later = self.samples[round(BEFORE / EVERY) :] or self.samples
        return sum(later) / len(later) if later else None

    def _sample(self) -> None:
        import torch

        while not self.stopped.wait(EVERY):
            try:
                self.samples.append(torch.cuda.utilization())
            except Exception:  # the library, its binding or its permission is missing
                return

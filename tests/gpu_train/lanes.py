"""Trainings in lanes: one starts, or scores its images, while another has the card. All share the time that is left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.gpu_check.report import FAILED, NOTE, Row
from tests.gpu_train.trainings import Training

LEAST = 60.0  # seconds: no training begins with less


def share_of(left: Sequence[float], shares: Sequence[float]) -> float:
    """Seconds for the next training: ``left`` are those of its lane and of the others, ``shares`` its own and the rest.

    The time of all lanes is divided in proportion to the shares; a training has at most what is left of its lane.
    """
    return min(left[0], sum(left) * shares[0] / sum(shares))


class Lanes:
    """``work(training, deadline)`` for each in order, ``count`` at a time, until ``end`` of `time.monotonic`.

    A training that raises costs its own rows alone.
    """

    def __init__(self, trainings: Sequence[Training], count: int, end: float, least: float = LEAST) -> None:
        self.waiting, self.end, self.least = list(trainings), end, least
        self.busy_until = [time.monotonic()] * count
        self.rows: dict[str, list[Row]] = {one.name: [] for one in trainings}
        self.lock = threading.Lock()

    def run(self, work: Callable[[Training, float], list[Row]]) -> list[Row]:
        """The rows of all trainings, in their order."""
        threads = [threading.Thread(target=self.lane, args=(number, work)) for number in range(len(self.busy_until))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [row for rows in self.rows.values() for row in rows]

    def lane(self, number: int, work: Callable[[Training, float], list[Row]]) -> None:
        while (begun := self.next(number)) is not None:
            training, deadline = begun
            try:
                rows = work(training, deadline)
            except Exception as error:
                rows = [Row(FAILED, "training", f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")]
            with self.lock:
                self.rows[training.name] = [replace(row, part=training.name) for row in rows]

    def next(self, number: int) -> tuple[Training, float] | None:
        """The next training and its deadline; those for which no time is left become rows that say so."""
        with self.lock:
            now = time.monotonic()
            self.busy_until[number] = now
            if self.waiting and self.end - now >= self.least:
                others = [max(0.0, self.end - until) for i, until in enumerate(self.busy_until) if i != number]
                share = share_of([self.end - now, *others], [one.share for one in self.waiting])
                self.busy_until[number] = now + share
                return self.waiting.pop(0), now + share
            for one in self.waiting:
                self.rows[one.name] = [Row(NOTE, "left out", "no time was left", part=one.name)]
            self.waiting = []
            return None

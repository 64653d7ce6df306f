"""The process of a command that hands its runs to MLflow while they work, so that no run waits for a server.

Several commands on one store take turns: one tracker at a time, which follows the runs of all. It also logs finished
runs that MLflow lacks, because a server was away, or a database was deleted.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.places import runs
from bench.tracking import journal, live, mirror
from bench.tracking import mlflow as tracking

POLL = 2.0  # seconds between looks at the journals
RETRY = 30.0  # seconds until a server that was away is asked again
LOOKS = 2  # after which a run at which nobody works is taken for ended
BACKLOG = 60.0  # seconds that a command spends at its end on runs of earlier ones

Report = Callable[[str], None]


def serve(stop: Connection, send: Report) -> str:
    """Follow the journals of the store until told to stop, then hand in the rest."""
    tracker = Tracker()
    with turn() as mine:
        while not stop.poll(POLL):
            if mine():
                tracker.look()
        started = time.monotonic()
        while mine() and tracker.look(last=True):
            send("handed in")
            if not journal.journals() and time.monotonic() - started > BACKLOG:
                break
        tracker.conclude()
    return ""


@contextmanager
def turn() -> Iterator[Callable[[], bool]]:
    """A function that tells whether this process is the store's tracker now; once it is, it stays."""
    journal.folder().mkdir(parents=True, exist_ok=True)
    with (journal.folder() / ".lock").open("a") as lock:

        def mine() -> bool:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except OSError:
                return False

        yield mine


def settle(report: Report) -> None:
    """End what commands that were killed have left as running, unless a tracker is at work."""
    follower = live.Follower(report)
    with turn() as mine:
        for _ in range(LOOKS if mine() else 0):
            follower.look()


class Tracker:
    """Follows journals, then logs what earlier commands could not; says once that MLflow is away."""

    def __init__(self, report: Report | None = None) -> None:
        self.report = report or tell
        self.follower = live.Follower(self.report)
        self.backlog: list[Path] | None = None
        self.away_until = 0.0
        self.warned = False

    def look(self, *, last: bool = False) -> bool:
        """Hand in what has come; whether there may be more at once. Never raises."""
        if time.monotonic() < self.away_until:
            return False
        try:
            if self.follower.look():
                return True
            if last and any(not journal.alive(path) for path in journal.journals()):
                return True
            return self.catch_up()
        except tracking.Away as error:
            self.away(str(error))
        except (BenchError, OSError) as error:
            self.away(" ".join(str(error).split()))
        return False

    def away(self, why: str) -> None:
        self.away_until = time.monotonic() + RETRY
        if not self.warned:
            self.warned = True
            self.report(f"not tracked: {why}. Runs are kept and sent later.")

    def catch_up(self) -> bool:
        """Log one run directory that MLflow lacks; whether there are more."""
        if self.backlog is None:
            at_work = {path.stem for path in journal.journals()}
            self.backlog = [path for path in mirror.untracked() if path.name not in at_work]
        while self.backlog:
            run_dir = self.backlog[0]
            try:
                if not mirror.tracked(run_dir):
                    tracking.log(run_dir)
                    self.backlog.pop(0)
                    return bool(self.backlog)
            except tracking.Away:
                raise
            except BenchError:  # the board says why it can't be read
                pass
            self.backlog.pop(0)
        return False

    def conclude(self) -> None:
        left = len(self.backlog or ()) + len([path for path in journal.journals() if not journal.alive(path)])
        if left and not self.warned:
            self.report(f"{left} runs are not in MLflow yet: `bench import {runs()}` sends them.")


def tell(text: Any) -> None:
    print(text, flush=True)

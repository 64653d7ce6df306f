"""What a command tells while it works: one line for each run that ends, and a living line of those at work."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from bench.places import runs
from bench.runs.records import Result
from bench.runs.run_directory import TRACEBACK
from bench.runs.spec import SHORT_KEY, Spec

if TYPE_CHECKING:
    from bench.engines.engine import Engine

Report = Callable[[str], None]
lost: list[str] = []  # the first line that could not be written, which makes the command fail
EVERY = 30.0  # seconds between lines of progress where there is no terminal


def say(text: str) -> None:
    """Print a line at once. Where the reader has left, or the disk is full, the work goes on without words."""
    try:
        print(text, flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            lost.append(text)
            print(f"bench: the output cannot be written: {error.strerror}. The runs go on.", file=sys.stderr)


def preparing(methods: int, tracks: int) -> None:
    """Tell beside the output that the command works: methods are described in processes, which may take a while."""
    counts = [f"{number} {name}{'s' * (number != 1)}" for number, name in ((methods, "method"), (tracks, "track"))]
    with suppress(OSError):
        print(f"bench: preparing {' on '.join(counts)}", file=sys.stderr, flush=True)


class Console:
    """Counts the ends of ``total`` runs and reports each in one line."""

    def __init__(self, total: int, report: Report) -> None:
        self.total, self.report = total, report
        self.done = self.failures = 0
        self.last = time.monotonic()

    def ended(self, spec: Spec, outcome: Result | str, seconds: float) -> None:
        """Report a run by its key and its result, or by why it has none and where its traceback is."""
        self.done += 1
        self.clear()
        line = f"[{self.done}/{self.total}] {spec.track}  {spec.name}  seed {spec.seed}"
        key = f"key {spec.key[:SHORT_KEY]}"
        if isinstance(outcome, str):
            self.failures += 1
            self.report(f"{line}  FAILED: {outcome}")
        elif outcome.status == "ok":
            unit = outcome.metrics[outcome.primary].unit
            score = f"{outcome.primary} {outcome.mean(outcome.primary):.4g} {unit}".rstrip()
            resumed = outcome.training.get("resumed_at")  # the steps at which it was taken up again
            again = f"went on from step {resumed[-1]}, " if resumed else ""
            self.report(f"{line}  {score}  ({again}{seconds:.0f} s, {key})")
        else:
            self.failures += outcome.status == "failed"
            traceback = runs() / spec.key / TRACEBACK
            place = f", traceback in {traceback}" if traceback.exists() else ""
            self.report(f"{line}  {outcome.status.upper()}: {outcome.reason}  ({key}{place})")

    def elsewhere(self, spec: Spec) -> None:
        """Report a run that another command has done in the meantime."""
        self.done += 1
        self.report(f"[{self.done}/{self.total}] {spec.track}  {spec.name}  seed {spec.seed}  done by another command")

    def show(self, engine: Engine) -> None:
        """A living line on a terminal, a line every half minute elsewhere."""
        working = [f"{one.task.name}: {one.stage}" for one in getattr(engine, "working", {}).values()]
        if not working:
            return
        text = f"{self.done}/{self.total} | " + " | ".join(working)
        if sys.stderr.isatty():
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write("\r\x1b[K" + text[:width])
            sys.stderr.flush()
        elif time.monotonic() - self.last > EVERY:
            self.last = time.monotonic()
            self.report("... " + text)

    @staticmethod
    def clear() -> None:
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

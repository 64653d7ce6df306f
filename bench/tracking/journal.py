"""A run at work writes of itself: lines in a file of the store, which the tracker of a command hands to MLflow.

The run waits for nobody: a thread appends what has come since, every few seconds. A claim beside the file lives as
long as the run's process. A line is an object with `header`, `points`, `trials`, `looks` or `ended`.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from bench.evaluation.curves import CurvePoint, Look
from bench.evaluation.tune import Trial
from bench.places import store
from bench.runs.spec import Spec
from bench.runs.store import held, hold
from bench.tracking.address import available

EVERY = 2.0  # seconds between two lines
COMPARISON = "BENCH_COMPARISON"  # variable by which processes know the command that they work for
LINES, RUNS, COMMANDS = ".jsonl", ".run", ".command"  # journals, claims of runs, claims of commands


def folder() -> Path:
    return store() / "live"


def path_of(key: str) -> Path:
    return folder() / f"{key}{LINES}"


def alive(path: Path) -> bool:
    """Whether a process works on the run of a journal, or waits for it."""
    return held(path.with_suffix(RUNS)) or held(store() / "claims" / path.stem)


@contextmanager
def comparison(command: str) -> Iterator[None]:
    """In the block processes work for ``command``: their runs stand below one run of MLflow."""
    token = f"{time.time_ns():x}-{os.getpid():x}"
    folder().mkdir(parents=True, exist_ok=True)
    before = os.environ.get(COMPARISON)
    os.environ[COMPARISON] = json.dumps({"id": token, "command": command, "start": time.time()})
    try:
        with hold(folder() / f"{token}{COMMANDS}"):
            yield
    finally:
        os.environ.pop(COMPARISON)
        if before is not None:
            os.environ[COMPARISON] = before


class Writer:
    """Appends points, trials and pictures to a journal, from a thread of its own, in a ``with`` block."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.taken: list[CurvePoint | Trial | Look] = []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def take(self, one: CurvePoint | Trial | Look) -> None:
        """Take a point of a curve, a trial, or a picture; never waits."""
        self.taken.append(one)

    def __enter__(self) -> Self:
        if available():
            self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """What has not been written yet is in the run directory."""
        self.stopped.set()
        if self.thread.ident is not None:
            self.thread.join()

    def _watch(self) -> None:
        written = 0
        while not self.stopped.wait(EVERY):
            fresh = self.taken[written:]
            written += len(fresh)
            points = [one for one in fresh if isinstance(one, CurvePoint)]
            trials = [asdict(one) for one in fresh if isinstance(one, Trial)]
            looks = [str(one.path) for one in fresh if isinstance(one, Look)]
            if fresh:
                append(self.path, {"points": points, "trials": trials, "looks": looks})


@contextmanager
def journal(spec: Spec) -> Iterator[Writer]:
    """The journal of a run, in a ``with`` block around it. A full disk costs the journal alone."""
    path = path_of(spec.key)
    with ExitStack() as stack:
        if available():
            with suppress(OSError):
                path.parent.mkdir(parents=True, exist_ok=True)
                stack.enter_context(hold(path.with_suffix(RUNS)))
                path.write_text(json.dumps({"header": header(spec)}, default=str) + "\n", encoding="utf-8")
        yield stack.enter_context(Writer(path))


def header(spec: Spec) -> dict[str, Any]:
    """The facts of a run that are known when it starts."""
    return {
        "key": spec.key,
        "group": spec.group,
        "track": spec.track,
        "limit": spec.limit,
        "method": spec.name,
        "family": spec.method.family,
        "seed": spec.seed,
        "command": spec.command,
        "commit": spec.commit,
        "start": time.time(),
        "comparison": json.loads(os.environ.get(COMPARISON) or "null"),
    }


def end(key: str, reason: str) -> None:
    """Say that the run of a key has ended: with a run directory, or for a ``reason``."""
    if available():
        append(path_of(key), {"ended": reason})


def append(path: Path, line: dict[str, Any]) -> None:
    """Add a line, whole or not at all as far as readers see. Does nothing where that cannot be done."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, default=str) + "\n")


def read(path: Path, offset: int) -> tuple[list[dict[str, Any]], int]:
    """The whole lines of a journal after ``offset``, and the offset after them. A line that was cut is passed over."""
    with path.open("rb") as file:
        file.seek(offset)
        text = file.read()
    whole = text[: text.rfind(b"\n") + 1]
    lines = []
    for line in whole.splitlines():
        with suppress(ValueError):
            lines.append(json.loads(line))
    return lines, offset + len(whole)


def journals() -> list[Path]:
    return sorted(folder().glob(f"*{LINES}"))

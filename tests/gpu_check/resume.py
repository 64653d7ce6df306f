"""`kill -9` of `bench run` in the middle: the same command does the rest and repeats nothing."""

from __future__ import annotations

import csv
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from bench.runs import records
from tests.gpu_check.plan import Plan
from tests.gpu_check.report import FAILED, NOTE, OK, Row

TRACK = "denoising:mini"
PATIENCE = 90.0  # seconds until the first run has ended, or a training has come so far
RUNS = 6
TRAINED = re.compile(rb"training (\d+)/(\d+)")


class Command:
    """`bench run` in a session of its own; its standard error is a terminal, which shows how far each run has come.

    It is killed where its context ends before it does.
    """

    def __init__(self, words: Sequence[str], store: Path) -> None:
        self.reader, writer = pty.openpty()
        os.set_blocking(self.reader, False)
        environment = os.environ | {"BENCH_STORE": str(store)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.cli", "run", *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=writer,
            start_new_session=True,
        )
        os.close(writer)
        self.seen = b""

    def look(self) -> bytes:
        """The living line so far; the terminal's buffer must not fill up."""
        with suppress(BlockingIOError, OSError):
            while chunk := os.read(self.reader, 65536):
                self.seen = (self.seen + chunk)[-4096:]
        return self.seen

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        os.close(self.reader)

    def finish(self) -> tuple[int, list[str]]:
        """Exit status and lines."""
        while self.process.poll() is None:
            self.look()
            time.sleep(0.05)
        output, _ = self.process.communicate()
        return self.process.returncode, output.decode().splitlines()


def rows(plan: Plan) -> Iterator[Row]:
    cpu = ["--cpu"] if plan.device == "cpu" else []
    yield from grid(Path(plan.folder) / "resume-grid", cpu)
    if not plan.short:
        yield from training(Path(plan.folder) / "resume-training", cpu, 300 if plan.device == "cuda" else 100)


def grid(store: Path, cpu: Sequence[str]) -> Iterator[Row]:
    """Some runs, one after another; killed when the first has ended."""
    seeds = map(str, range(RUNS))
    words = [TRACK, "-m", "tv", "--defaults", "--limit", "1", "--jobs", "1", *cpu, "--seed", *seeds]
    end = time.monotonic() + PATIENCE
    with Command(words, store) as command:
        while not finished(store) and command.process.poll() is None and time.monotonic() < end:
            command.look()
            time.sleep(0.005)
    kept = finished(store)
    what = f"{RUNS} runs"
    if not 0 < len(kept) < RUNS:
        yield Row(FAILED, what, f"{len(kept)} had ended when it was killed: nothing to resume")
        return
    with Command(words, store) as command:
        status, lines = command.finish()
    after = finished(store)
    done = sum(" seed " in line for line in lines)
    faults = [
        *([f"exit status {status}"] if status else []),
        *([f"{len(after)} runs in the end"] if len(after) != RUNS else []),
        *([f"{done} runs were done again or left out"] if done != RUNS - len(kept) else []),
        *(["a finished run was written anew"] if not kept.items() <= after.items() else []),
    ]
    found = f"killed after {len(kept)}, the same command did the other {done} and repeated none"
    yield Row(FAILED if faults else OK, what, "; ".join(faults) or found)


def finished(store: Path) -> dict[str, int]:
    """The time at which the result of each finished run was written."""
    folders = (path for path in (store / "runs").glob("[0-9a-f]*") if records.finished(path))
    return {path.name: (path / "result.json").stat().st_mtime_ns for path in folders}


def training(store: Path, cpu: Sequence[str], steps: int) -> Iterator[Row]:
    """One training, killed in the middle: does the same command go on, or start again?"""
    words = [TRACK, "-m", "unet", "--steps", str(steps), "--limit", "1", *cpu]
    reached, end = 0, time.monotonic() + PATIENCE
    with Command(words, store) as command:
        while reached < steps // 2 and command.process.poll() is None and time.monotonic() < end:
            found = TRAINED.findall(command.look())
            reached = int(found[-1][0]) if found else 0
            time.sleep(0.02)
    killed = time.time()
    if not 0 < reached < steps or finished(store):
        yield Row(FAILED, "training", f"it had come to step {reached} of {steps} when it was killed: nothing to resume")
        return
    with Command(words, store) as command:
        status, lines = command.finish()
    folders = list(finished(store))
    if status or len(folders) != 1:
        yield Row(FAILED, "training", f"exit status {status}: {(lines or ['no output'])[-1]}")
        return
    curve = [(step, when) for name, step, when in curves(store / "runs" / folders[0]) if name == "train_loss"]
    again = [step for step, when in curve if when > killed]
    before = [step for step, when in curve if when <= killed]
    goes_on = bool(before) or (bool(again) and min(again) > steps // 10)
    found = f"killed at step {reached} of {steps}; the same command "
    if goes_on:
        yield Row(OK, "training", found + f"goes on at step {min(again, default=steps)}")
    else:
        yield Row(NOTE, "training", found + "starts again and ends well: it does not go on from a checkpoint")


def curves(folder: Path) -> list[tuple[str, int, float]]:
    with (folder / "curves.csv").open(newline="", encoding="utf-8") as file:
        return [(row["name"], int(row["step"]), float(row["time"])) for row in csv.DictReader(file)]

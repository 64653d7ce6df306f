"""A pool of processes, one a run, forked from this one, which holds the heavy imports.

A crash takes down one run and costs no import. Runs on several devices go through `bench.engines.worker`, a fresh
interpreter that Lightning can launch again.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from bench.contract import registry
from bench.errors import BenchError
from bench.runs.records import Result, finished, outcome_directory
from bench.runs.spec import Request, requested_track
from bench.runs.store import whole_directory
from bench.tracking import mlflow as tracking

Say = Callable[[str], None]


@dataclass(frozen=True)
class Job:
    """A request, where its outcome goes, and how much work to expect."""

    request: Request
    target: Path
    learned: bool


def log(target: Path, say: Say) -> None:
    """Log a run directory; where the server is away the run is kept and can be sent later."""
    try:
        tracking.log(target)
    except Exception as error:
        line = " ".join(str(error).split())[:200]
        say(f"not tracked: {line}. The run is kept; the same command or `bench import {target}` sends it again.")


class Pool:
    """Works through jobs in forked processes and tells how each ended."""

    def __init__(self, pending: Sequence[Job], size: int, say: Say) -> None:
        self.pending = list(pending)
        self.total = len(self.pending)
        self.size = size
        self.say = say
        self.context = multiprocessing.get_context("fork")
        self.active: dict[Connection, tuple[Any, Job, float]] = {}
        self.stages: dict[Connection, str] = {}
        self.errors: dict[Connection, str] = {}
        self.ended = self.failures = 0
        self.told = time.monotonic()
        self.free_slots = list(range(size))
        self.slots: dict[Connection, int] = {}
        self.before: dict[Connection, int] = {}  # when the result was written that a job replaces

    def work(self) -> int:
        try:
            while self.pending or self.active:
                while self.pending and len(self.active) < self.size:
                    self.start(self.pending.pop(0))
                spoke = wait(list(self.active), timeout=1.0)
                # What a method started and left behind may hold the connection of a process that has ended.
                ended = [one for one, (process, _, _) in self.active.items() if process.exitcode is not None]
                for connection in {*spoke, *ended}:
                    assert isinstance(connection, Connection)
                    self.hear(connection)
                self.show_progress()
        finally:
            for process, _, _ in self.active.values():
                process.kill()  # see `end_with_parent`
                process.join()
        return self.failures

    def start(self, job: Job) -> None:
        receiver, sender = self.context.Pipe(duplex=False)
        self.before[receiver] = written(job.target)
        slot = self.free_slots.pop(0)
        process = self.context.Process(target=child, args=(job, slot, sender, os.getpid()))
        process.start()
        sender.close()
        self.active[receiver] = (process, job, time.monotonic())
        self.slots[receiver] = slot

    def hear(self, connection: Connection) -> None:
        """A stage of a running job, or its end."""
        process, job, started = self.active[connection]
        try:
            if process.exitcode is not None and not connection.poll():
                raise EOFError
            kind, text = connection.recv()
            (self.errors if kind == "error" else self.stages)[connection] = text
        except (EOFError, OSError):
            del self.active[connection]
            process.join()
            self.stages.pop(connection, None)
            self.free_slots.append(self.slots.pop(connection))
            connection.close()
            reason = self.errors.pop(connection, "") or how_it_ended(process.exitcode)
            died = written(job.target) == self.before.pop(connection)
            self.conclude(job, reason if died else "", time.monotonic() - started)

    def conclude(self, job: Job, death: str, seconds: float) -> None:
        """Tell how a run ended; ``death`` is why its process could not write a result."""
        self.ended += 1
        request = job.request
        label = f"@{request.board_label}" if request.board_label else ""
        name = f"{request.track}  {Path(request.method).stem}{label}"
        line = f"[{self.ended}/{self.total}] {name}  seed {request.seed}"
        self.clear_line()
        if death and finished(job.target):
            self.failures += 1
            self.say(f"{line}  FAILED: {death}. The finished run {job.target.name} is kept.")
            return
        try:
            if death:
                record_death(job, death, seconds)
            result = Result.read(job.target / "result.json")
        except Exception as error:  # whatever keeps this run from being recorded, the others go on
            self.failures += 1
            self.say(f"{line}  FAILED: {death or error}")
            return
        self.failures += result.status == "failed"
        if result.status == "ok":
            unit = result.metrics[result.primary]["unit"]
            score = f"{result.primary} {result.mean(result.primary):.4g} {unit}".rstrip()
            self.say(f"{line}  {score}  ({seconds:.0f} s)")
        else:
            self.say(f"{line}  {result.status.upper()}: {result.reason}")

    def show_progress(self) -> None:
        """What runs now: a living line on a terminal, a line every half minute elsewhere."""
        if not self.active:
            return
        parts = [
            f"{job.request.track} {Path(job.request.method).stem}: {self.stages.get(connection, 'starting')}"
            for connection, (_, job, _) in self.active.items()
        ]
        text = f"{self.ended}/{self.total} | " + " | ".join(parts)
        if sys.stderr.isatty():
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write("\r\x1b[K" + text[:width])
            sys.stderr.flush()
        elif time.monotonic() - self.told > 30:
            self.told = time.monotonic()
            self.say("... " + text)

    @staticmethod
    def clear_line() -> None:
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def how_it_ended(exitcode: int) -> str:
    if exitcode >= 0:
        return f"the process ended with exit status {exitcode}"
    hint = " (out of memory?)" if exitcode == -signal.SIGKILL else ""
    return f"the process was killed by signal {-exitcode}{hint}"


def written(target: Path) -> int:
    """When the result of a run directory was written, in nanoseconds; 0 where there is none."""
    try:
        return (target / "result.json").stat().st_mtime_ns
    except OSError:
        return 0


def record_death(job: Job, reason: str, seconds: float) -> None:
    """A run directory for a process that could not write its own."""
    from bench.runs.run_directory import Outcome, write

    track = requested_track(job.request)
    method = registry.load_method(job.request.method)
    with whole_directory(job.target) as directory:
        write(job.request, track, method, directory, Outcome("failed", reason), seconds)


def child(job: Job, slot: int, sender: Connection, parent: int) -> None:
    """One run in its own process: end with the parent, keep to one thread, write, then log."""
    end_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it and ends its children
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.environ.setdefault("PYTHONHASHSEED", "0")
    if job.request.accelerator == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # sums in one order
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(visible_devices(slot, job.request.devices))
    last = [0.0]

    def report(stage: str) -> None:
        if time.monotonic() - last[0] > 0.2:
            last[0] = time.monotonic()
            sender.send(("stage", stage))

    try:
        if job.request.devices > 1:
            launch(job)
        else:
            import torch

            from bench.runs.run import run

            torch.set_num_threads(threads())
            run(job.request, report)
        if tracking.available():
            sender.send(("stage", "logging"))
            log(job.target, print)
    except Exception as error:
        if not isinstance(error, BenchError):
            traceback.print_exc()
        sender.send(("error", " ".join(str(error).split())))
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)  # skip the parent's exit handlers


def threads() -> int:
    """Threads of one run on the CPU: one by default, so that scores do not depend on the machine's size."""
    text = os.environ.get("BENCH_THREADS") or "1"
    if not text.isdecimal() or int(text) < 1:
        raise BenchError(f"BENCH_THREADS={text} is not a positive whole number.")
    return int(text)


def visible_devices(slot: int, count: int) -> list[str]:
    """The GPUs of a slot, ``count`` of those that the user made visible."""
    import torch

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(index) for index in range(torch.cuda.device_count())]
    return [names[index % len(names)] for index in range(slot * count, (slot + 1) * count)]


def end_with_parent(parent: int) -> None:
    """On Linux ask the kernel to end this process with its parent, however that one ends.

    By SIGKILL: while a method works, Lightning takes SIGTERM for a request to stop after the batch.
    """
    if sys.platform == "linux":
        import ctypes

        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def launch(job: Job) -> None:
    """Run on several devices: `bench.engines.worker` in a fresh interpreter, which Lightning starts for each device."""
    with outcome_directory(job.target) as directory:
        config = directory / "request.json"
        config.write_text(json.dumps(asdict(job.request)), encoding="utf-8")
        # A safe path: `-m` would look for packages in the working directory first.
        environment = dict(os.environ) | {"OMP_NUM_THREADS": str(threads()), "PYTHONSAFEPATH": "1"}
        words = [sys.executable, "-m", "bench.engines.worker", str(config), str(directory)]
        with (directory / "log.txt").open("w") as output:
            status = subprocess.run(words, env=environment, stdout=output, stderr=subprocess.STDOUT).returncode
        config.unlink()
        if not (directory / "result.json").exists():
            lines = (directory / "log.txt").read_text(errors="replace").strip().splitlines() or ["no output"]
            raise BenchError(f"the worker ended with exit status {status}: {lines[-1]}")
